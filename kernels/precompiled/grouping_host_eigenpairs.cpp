// What takes long to compile of the host's eigenpairs, which dense problems on a device end in: once for all units.
#include <miq/grouping/eigenpairs.hpp>

template class Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>;
template Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>& Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>::compute(
    const Eigen::EigenBase<Eigen::MatrixXd>&, int);

namespace miq::grouping::detail {
inline namespace MIQ_INSTRUCTION_SET {

template eigenpairs_result largest_eigenpairs_unchecked(const host_executor&, matrix_view<const float>, int,
                                                        const eigenpairs_options&);
template eigenpairs_result dense_eigenpairs(const host_executor&, matrix_view<const float>, int, float);

}  // namespace MIQ_INSTRUCTION_SET
}  // namespace miq::grouping::detail
