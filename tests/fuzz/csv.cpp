// Tables as text.
#include "mutual_information/files/csv.hpp"
#include "common/errors.hpp"
#include "fuzz/target.hpp"

std::vector<std::string> miq_fuzz::seeds() {
  return {file_of("tests/examples/data/tables/iris.csv").substr(0, 2000),
          "a;\"b \"\"c\"\"\"\r\n1;2\r\nnan;-inf\r\n\r\n", "\xEF\xBB\xBF# x\ty\n1e300\t0x1p3\n-0\t.5\n",
          "label\nsetosa\n\"a, b\"\n"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const mutual_information::csv_text table(text, "fuzz");
    std::int64_t rows = 0;
    try {
      table.for_rows([&](std::int64_t row, std::span<const double> values) {
        if (row != rows++ || static_cast<std::int64_t>(values.size()) != table.columns()) __builtin_trap();
      });
      if (rows != table.rows()) __builtin_trap();
    } catch (const examples::input_error&) {
    }
    table.single_column();
  } catch (const examples::input_error&) {
  }
  return 0;
}
