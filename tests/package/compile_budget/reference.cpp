// What compile times are measured by: Eigen, and one factorisation.
#include <Eigen/Dense>

double reference(const Eigen::MatrixXd& matrix);
double reference(const Eigen::MatrixXd& matrix) { return Eigen::LLT<Eigen::MatrixXd>(matrix).matrixLLT().sum(); }
