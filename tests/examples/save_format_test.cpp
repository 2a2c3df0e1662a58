// Models saved as GPTQ and compressed-tensors, against unpackers written from the formats' own descriptions; as miq's
// packed layers, read again.
#include <array>
#include <cmath>
#include <cstring>

#include <miq/core/random.hpp>
#include <miq/quantization/fit.hpp>
#include <miq/quantization/storage.hpp>

#include "compress_opt/checkpoint/checkpoint.hpp"
#include "compress_opt/checkpoint/save.hpp"
#include "pipeline_support.hpp"
#include "test_support/catch.hpp"

using namespace compress_opt;
using namespace miq_test;
namespace q = miq::quantization;
using q::grid_layout;
using q::grid_symmetry;
using q::scale_format;

namespace {

const miq::host_executor& exec() {
  static const miq::host_executor instance({.threads = 2});
  return instance;
}

struct export_case {
  std::string name;
  save_format format = save_format::gptq;
  int bits = 4;
  grid_symmetry symmetry = grid_symmetry::asymmetric;
  grid_layout layout = grid_layout::per_row_and_group;
  std::int64_t groups = 1;
  bool contiguous = true;
};

/// Every width and kind of grid that the formats hold.
std::vector<export_case> export_cases() {
  std::vector<export_case> cases;
  for (const int bits : {2, 3, 4, 8}) {
    const auto number = std::to_string(bits);
    cases.push_back({"gptq-" + number, save_format::gptq, bits});
    cases.push_back({"gptq-symmetric-" + number, save_format::gptq, bits, grid_symmetry::symmetric});
    cases.push_back({"gptq-groups-" + number, save_format::gptq, bits, grid_symmetry::asymmetric,
                     grid_layout::per_row_and_group, 3, false});
  }
  cases.push_back({"gptq-shared-4", save_format::gptq, 4, grid_symmetry::asymmetric, grid_layout::per_group, 3, false});
  for (int bits = 1; bits <= 8; ++bits) {
    const auto number = std::to_string(bits);
    cases.push_back({"compressed-tensors-" + number, save_format::compressed_tensors, bits});
    cases.push_back({"compressed-tensors-groups-" + number, save_format::compressed_tensors, bits,
                     grid_symmetry::asymmetric, grid_layout::per_row_and_group, 3});
    if (bits > 1)
      cases.push_back(
          {"compressed-tensors-symmetric-" + number, save_format::compressed_tensors, bits, grid_symmetry::symmetric});
  }
  return cases;
}

/// Quantises a matrix to the nearest levels under a random mask; `weights` becomes what is stored.
stored_matrix quantised(miq::matrix<float>& weights, const export_case& how, miq::random_stream& random) {
  stored_matrix stored;
  const auto rows = weights.rows();
  const auto columns = weights.columns();
  stored.groups = how.groups;
  for (std::int64_t c = 0; c < columns; ++c)
    stored.labels.push_back(static_cast<std::int32_t>(c * how.groups / columns));
  if (!how.contiguous)
    for (std::size_t c = stored.labels.size(); c-- > 1;)
      std::swap(stored.labels[c], stored.labels[random.below(c + 1)]);
  stored.kept = miq::matrix<std::uint8_t>(rows, columns);
  for (std::int64_t i = 0; i < stored.kept.size(); ++i) stored.kept.data()[i] = random.uniform() < 0.6 ? 1 : 0;
  for (std::int64_t c = 0; c < columns; ++c) weights(0, c) = std::abs(weights(0, c));  // a row whose zero point is 0
  stored.grids =
      q::fit_grids(exec(), weights.view(), stored.labels,
                   std::vector<std::uint8_t>(static_cast<std::size_t>(how.groups), static_cast<std::uint8_t>(how.bits)),
                   {.layout = how.layout, .symmetry = how.symmetry}, {}, stored.kept.view());
  stored.codes = miq::matrix<std::uint8_t>(rows, columns);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto grid = stored.grids.at(r, c);
      const auto code = q::quantise(weights(r, c), grid);
      const bool keep = stored.kept(r, c) != 0;
      stored.codes(r, c) = keep ? static_cast<std::uint8_t>(code) : std::uint8_t{0};
      weights(r, c) = keep ? q::dequantise(code, grid) : 0.0F;
    }
  return stored;
}

stored_matrices compress_all(opt_model& model, const export_case& how, std::uint64_t seed) {
  miq::random_stream random(seed);
  stored_matrices stored;
  for (std::size_t layer = 0; layer < model.layers.size(); ++layer)
    for (const auto id : all_linears)
      stored[std::to_string(layer) + '.' + std::string(name_of(id))] =
          quantised(model.layers[layer][id].weight, how, random);
  return stored;
}

/// A tensor of a safetensors file, its elements as wide integers.
struct raw_tensor {
  std::vector<std::int64_t> shape;
  std::string type;
  std::vector<std::int64_t> values;
  std::int64_t at(std::int64_t r, std::int64_t c) const {
    return values[static_cast<std::size_t>(r * (shape.size() > 1 ? shape[1] : 1) + c)];
  }
};

raw_tensor read_tensor(const safetensors_text& file, const std::string& name) {
  INFO(name);
  REQUIRE(file.header.contains(name));
  const auto& entry = file.header[name];
  raw_tensor tensor{entry["shape"], entry["dtype"], {}};
  const auto begin = entry["data_offsets"][0].get<std::size_t>();
  const auto end = entry["data_offsets"][1].get<std::size_t>();
  const std::size_t size = tensor.type == "I64" ? 8 : (tensor.type == "I32" ? 4 : 2);
  for (auto at = begin; at < end; at += size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(file.data[at + i])) << 8 * i;
    tensor.values.push_back(static_cast<std::int64_t>(value));
  }
  return tensor;
}

/// Bits n ... n + count - 1 of a row of words, the lowest first.
std::int64_t field(const std::vector<std::int64_t>& words, std::int64_t n, int count) {
  std::int64_t value = 0;
  for (int i = 0; i < count; ++i) value |= (words[static_cast<std::size_t>((n + i) / 32)] >> (n + i) % 32 & 1) << i;
  return value;
}

double half(std::int64_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const auto exponent = bits >> 10 & 31;
  const auto mantissa = static_cast<double>(bits & 1023);
  return sign *
         (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, static_cast<int>(exponent) - 25));
}

/// W[o, i] = scales[g_idx[i], o] * (q[i, o] - z[g_idx[i], o]); q packed along i, z along o; version 1 stores z - 1.
struct gptq_matrix {
  raw_tensor qweight, qzeros, scales, g_idx;
  int bits;
  bool first_version;

  gptq_matrix(const safetensors_text& file, const nlohmann::json& config, const std::string& name)
      : qweight(read_tensor(file, name + ".qweight")),
        qzeros(read_tensor(file, name + ".qzeros")),
        scales(read_tensor(file, name + ".scales")),
        g_idx(read_tensor(file, name + ".g_idx")),
        bits(config["bits"]),
        first_version(config["checkpoint_format"] == "gptq") {}

  double weight(std::int64_t o, std::int64_t i) const {
    std::vector<std::int64_t> words;
    for (std::int64_t w = 0; w < qweight.shape[0]; ++w) words.push_back(qweight.at(w, o));
    const auto code = field(words, i * bits, bits);
    const auto g = g_idx.values[static_cast<std::size_t>(i)];
    words.clear();
    for (std::int64_t w = 0; w < qzeros.shape[1]; ++w) words.push_back(qzeros.at(g, w));
    const auto zero = field(words, o * bits, bits) + (first_version ? 1 : 0);
    return half(scales.at(g, o)) * static_cast<double>(code - zero);
  }
};

}  // namespace

TEST_CASE("what is saved as GPTQ is what was compressed", "[save_format]") {
  const temporary_directory directory;
  const auto dense = load_model(exec(), demo_model());
  for (const auto& how : export_cases()) {
    if (how.format != save_format::gptq) continue;
    INFO(how.name);
    auto model = dense;
    const auto stored = compress_all(model, how, 1);
    const auto target = directory / how.name;
    save_model(model, demo_model(), target, {.format = how.format, .matrices = &stored});
    const auto config = read_json(target / "quantize_config.json");
    CHECK(config == read_json(target / "config.json")["quantization_config"]);
    CHECK(config["quant_method"] == "gptq");
    CHECK(config["sym"] == (how.symmetry == grid_symmetry::symmetric));
    CHECK(config["group_size"] == (how.groups == 1 ? -1 : 64));
    CHECK(config["desc_act"] == (how.groups > 1));
    const auto file = safetensors_text::read(target / "model.safetensors");
    CHECK(!file.header.contains("model.decoder.layers.0.fc1.weight"));
    miq::random_stream random(2);
    for (const auto id : {linear_id::k_proj, linear_id::fc1, linear_id::fc2}) {
      const auto name = "model.decoder.layers.2." + std::string(name_of(id));
      const auto& weight = model.layers[2][id].weight;
      const gptq_matrix saved(file, config, name);
      const auto groups = saved.scales.shape[0];
      CHECK(groups == (how.groups == 1 ? 1 : weight.columns() / 64));
      CHECK(saved.qweight.shape == std::vector<std::int64_t>{weight.columns() * how.bits / 32, weight.rows()});
      CHECK(saved.qzeros.shape == std::vector<std::int64_t>{groups, weight.rows() * how.bits / 32});
      // Groups are as large as the configuration says.
      std::vector<std::int64_t> size(static_cast<std::size_t>(groups));
      for (const auto g : saved.g_idx.values) ++size[static_cast<std::size_t>(g)];
      for (const auto columns : size) CHECK(columns == weight.columns() / groups);
      for (int k = 0; k < 1000; ++k) {
        const auto o = k < 100 ? 0 : static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(weight.rows())));
        const auto i = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(weight.columns())));
        REQUIRE(saved.weight(o, i) == static_cast<double>(weight(o, i)));
      }
    }
    // The rest is there, in half precision.
    CHECK(read_tensor(file, "model.decoder.layers.3.fc1.bias").type == "F16");
    CHECK(read_json(target / "config.json")["dtype"] == "float16");
  }
}

TEST_CASE("what is saved for compressed-tensors is what was compressed", "[save_format]") {
  const temporary_directory directory;
  const auto dense = load_model(exec(), demo_model());
  for (const auto& how : export_cases()) {
    if (how.format != save_format::compressed_tensors) continue;
    INFO(how.name);
    auto model = dense;
    const auto stored = compress_all(model, how, 3);
    const auto target = directory / how.name;
    save_model(model, demo_model(), target, {.format = how.format, .matrices = &stored});
    const auto config = read_json(target / "config.json")["quantization_config"];
    CHECK(config["quant_method"] == "compressed-tensors");
    CHECK(config["ignore"] == std::vector<std::string>{"lm_head"});
    CHECK(!fs::exists(target / "quantize_config.json"));
    const auto file = safetensors_text::read(target / "model.safetensors");
    std::size_t kind = 0;
    for (const auto id : {linear_id::v_proj, linear_id::fc2}) {
      const auto name = "model.decoder.layers.1." + std::string(name_of(id));
      const auto& weight = model.layers[1][id].weight;
      const bool symmetric = how.symmetry == grid_symmetry::symmetric;
      // The matrices of one group size are one group of the configuration.
      const auto size = weight.columns() / how.groups;
      nlohmann::json scheme;
      for (const auto& one : config["config_groups"])
        if (how.groups == 1 || one["weights"]["group_size"] == size) scheme = one["weights"];
      REQUIRE(scheme["num_bits"] == how.bits);
      CHECK(scheme["symmetric"] == symmetric);
      CHECK(scheme["strategy"] == (how.groups == 1 ? "channel" : "group"));
      const auto packed = read_tensor(file, name + ".weight_packed");
      const auto scale = read_tensor(file, name + ".weight_scale");
      CHECK(packed.shape == std::vector<std::int64_t>{weight.rows(), (weight.columns() * how.bits + 31) / 32});
      CHECK(scale.shape == std::vector<std::int64_t>{weight.rows(), how.groups});
      CHECK(read_tensor(file, name + ".weight_shape").values ==
            std::vector<std::int64_t>{weight.rows(), weight.columns()});
      CHECK(file.header.contains(name + ".weight_zero_point") == !symmetric);
      raw_tensor zeros;
      if (!symmetric) zeros = read_tensor(file, name + ".weight_zero_point");
      std::int64_t different = 0;
      for (std::int64_t r = 0; r < weight.rows(); ++r) {
        std::vector<std::int64_t> words;
        for (std::int64_t w = 0; w < packed.shape[1]; ++w) words.push_back(packed.at(r, w));
        for (std::int64_t c = 0; c < weight.columns(); ++c) {
          const auto g = c / size;
          // Both are stored with 2^(b-1) added.
          std::int64_t zero = std::int64_t{1} << (how.bits - 1);
          if (!symmetric) {
            std::vector<std::int64_t> column;
            for (std::int64_t w = r * how.bits / 32; w < zeros.shape[0] && w < r * how.bits / 32 + 2; ++w)
              column.push_back(zeros.at(w, g));
            zero = field(column, r * how.bits % 32, how.bits);
          }
          const double value = half(scale.at(r, g)) * static_cast<double>(field(words, c * how.bits, how.bits) - zero);
          different += value != static_cast<double>(weight(r, c)) ? 1 : 0;
        }
      }
      CHECK(different == 0);
      ++kind;
    }
    CHECK(kind == 2);
  }
}

TEST_CASE("matrices that were not compressed stay dense in compressed-tensors", "[save_format]") {
  const temporary_directory directory;
  auto model = load_model(exec(), demo_model());
  auto stored = compress_all(model, {"", save_format::compressed_tensors}, 3);
  stored.erase("1.fc1");
  save_model(model, demo_model(), directory / "out", {.format = save_format::compressed_tensors, .matrices = &stored});
  const auto config = read_json(directory / "out/config.json")["quantization_config"];
  CHECK(config["ignore"] == std::vector<std::string>{"lm_head", "model.decoder.layers.1.fc1"});
  const auto file = safetensors_text::read(directory / "out/model.safetensors");
  CHECK(file.header.contains("model.decoder.layers.1.fc1.weight"));
  CHECK(!file.header.contains("model.decoder.layers.1.fc1.weight_packed"));
  CHECK_THROWS_WITH(
      save_model(model, demo_model(), directory / "other", {.format = save_format::gptq, .matrices = &stored}),
      contains("all matrices of all layers"));
  CHECK(!fs::exists(directory / "other"));
}

TEST_CASE("a model saved in miq's format is the same when it is read again", "[save_format]") {
  const temporary_directory directory;
  const auto dense = load_model(exec(), demo_model());
  for (const auto& how :
       {export_case{"rows", save_format::miq, 3},
        export_case{"columns", save_format::miq, 5, grid_symmetry::symmetric, grid_layout::per_column, 4, false}}) {
    INFO(how.name);
    auto model = dense;
    const auto stored = compress_all(model, how, 5);
    save_model(model, demo_model(), directory / how.name, {.format = save_format::miq, .matrices = &stored});
    const auto again = load_model(exec(), directory / how.name);
    std::int64_t bits = 0;
    std::int64_t bytes = 0;
    const auto file = safetensors_text::read(directory / how.name / "model.safetensors");
    for (std::size_t layer = 0; layer < model.layers.size(); ++layer)
      for (const auto id : all_linears) {
        const auto name = std::to_string(layer) + '.' + std::string(name_of(id));
        const auto& weight = model.layers[layer][id].weight;
        REQUIRE(std::memcmp(weight.data(), again.layers[layer][id].weight.data(),
                            static_cast<std::size_t>(weight.size()) * sizeof(float)) == 0);
        const auto& one = stored.at(name);
        bits += static_cast<std::int64_t>(q::storage_of(one.kept.view(), one.grids, one.labels, one.groups).total());
        bytes += file.header["model.decoder.layers." + name + ".weight.miq"]["shape"][0].get<std::int64_t>();
      }
    // What is counted, a header of 128 bytes and padding.
    CHECK(8 * bytes >= bits);
    CHECK(8 * bytes <= bits + 24 * (8 * 128 + 8 * 63));
    CHECK(std::equal(model.embed_tokens.data(), model.embed_tokens.data() + model.embed_tokens.size(),
                     again.embed_tokens.data()));
  }
}

TEST_CASE("a spoilt packed layer in a model is refused", "[save_format]") {
  const temporary_directory directory;
  auto model = load_model(exec(), demo_model());
  const auto stored = compress_all(model, {"", save_format::miq, 3}, 5);
  save_model(model, demo_model(), directory / "out", {.format = save_format::miq, .matrices = &stored});
  const auto whole = safetensors_text::read(directory / "out/model.safetensors");
  const std::string name = "model.decoder.layers.2.fc1.weight.miq";
  const auto refusal = [&](const safetensors_text& file) {
    file.write(directory / "out/model.safetensors");
    return message_of<checkpoint_error>([&] { load_model(exec(), directory / "out"); });
  };
  auto file = whole;
  file.data[whole.header[name]["data_offsets"][0].get<std::size_t>()] = 'x';
  CHECK_THAT(refusal(file), contains(name) && contains("begins with 'miqlayer'"));
  file = whole;
  std::swap(file.header[name]["data_offsets"], file.header["model.decoder.layers.2.fc2.weight.miq"]["data_offsets"]);
  std::swap(file.header[name]["shape"], file.header["model.decoder.layers.2.fc2.weight.miq"]["shape"]);
  CHECK_THAT(refusal(file), contains("has the shape [192, 768], but config.json asks for [768, 192]"));
  file = whole;
  file.header[name]["dtype"] = "I8";
  CHECK_THAT(refusal(file), contains("must have the type U8"));
}

TEST_CASE("what a format cannot hold is refused, with the setting to change", "[save_format]") {
  matrix_traits traits;
  traits.rows = 64;
  traits.columns = 96;
  const auto refusal = [&](save_format format, auto&& change) {
    auto changed = traits;
    change(changed);
    CHECK_NOTHROW(require_holds(save_format::miq, changed, "m"));
    CHECK_NOTHROW(require_holds(save_format::huggingface, changed, "m"));
    return message_of<option_error>([&] { require_holds(format, changed, "m"); });
  };
  for (const auto format : {save_format::gptq, save_format::compressed_tensors}) {
    CHECK_NOTHROW(require_holds(format, traits, "m"));
    CHECK_THAT(refusal(format, [](auto& t) { t.quantised = false; }), contains("choose --wbits"));
    CHECK_THAT(refusal(format, [](auto& t) { t.layout = grid_layout::per_column; }), contains("use --layout A"));
    CHECK_THAT(refusal(format, [](auto& t) { t.layout = grid_layout::row_by_group; }), contains("use --layout A"));
    CHECK_THAT(refusal(format, [](auto& t) { t.layout = grid_layout::row_by_column; }), contains("use --layout A"));
    CHECK_THAT(refusal(format, [](auto& t) { t.symmetry = grid_symmetry::zero_free; }), contains("--grid asymmetric"));
    CHECK_THAT(refusal(format, [](auto& t) { t.scales = q::scale_format::float32; }), contains("half precision"));
    CHECK_THAT(refusal(format, [](auto& t) { t.scales = q::scale_format::logarithmic8; }), contains("half precision"));
    CHECK_THAT(refusal(format, [](auto& t) { t.least_bits = 2; }), contains("2 to 4 bits; use --n_groups 1"));
  }
  CHECK_THAT(refusal(save_format::gptq, [](auto& t) { t.least_bits = t.most_bits = 5; }), contains("2, 3, 4 or 8"));
  CHECK_THAT(refusal(save_format::gptq, [](auto& t) { t.rows = 65; }), contains("multiples of 32"));
  CHECK_THAT(refusal(save_format::gptq, [](auto& t) { t.groups = 4, t.group_unit = 24; }), contains("--balanced"));
  CHECK_THAT(refusal(save_format::gptq, [](auto& t) { t.groups = 0; }), contains("--balanced"));
  CHECK_NOTHROW(require_holds(
      save_format::gptq,
      [&] {
        auto t = traits;
        t.groups = 3;
        t.group_unit = 32;
        return t;
      }(),
      "m"));
  CHECK_THAT(refusal(save_format::compressed_tensors, [](auto& t) { t.groups = 3, t.group_unit = 32; }),
             contains("--n_groups 1"));
  CHECK_THAT(refusal(save_format::compressed_tensors,
                     [](auto& t) { t.least_bits = t.most_bits = 1, t.symmetry = grid_symmetry::symmetric; }),
             contains("no level at 0"));
}

TEST_CASE("a run that cannot be saved fails before the work", "[save_format]") {
  tiny_run tiny(1);
  auto& chosen = tiny.chosen;
  chosen.save = tiny.directory / "saved";
  chosen.save_format = save_format::gptq;
  run_hooks hooks;
  hooks.progress = [](const run_state& state) { return state.phase == "load" || state.phase == "tokenize"; };
  const auto refusal = [&] { return message_of<option_error>([&] { run_compression(chosen, hooks); }); };
  chosen.methods = {method::dense, method::sparsegpt};
  CHECK_THAT(refusal(), contains("dense") && contains("--methods"));
  chosen.methods = {method::enhanced};
  CHECK_THAT(refusal(), contains("enhanced") && contains("--layout A"));
  chosen.methods = {method::sparsegpt};
  CHECK_THAT(refusal(), contains("multiples of 32"));  // 80 columns
  chosen.prune_only = "self_attn";
  CHECK_THAT(refusal(), contains("--prune_only"));
  chosen.prune_only = "";
  chosen.save_format = save_format::compressed_tensors;
  chosen.methods = {method::mi};
  CHECK_THAT(refusal(), contains("--layout A"));
  chosen.layout = grid_layout::per_row_and_group;
  CHECK_THAT(refusal(), contains("--grid asymmetric"));
  chosen.grid = grid_symmetry::asymmetric;
  CHECK_THAT(refusal(), contains("--scales float16"));
  chosen.scales = scale_format::float16;
  CHECK_THAT(refusal(), contains("--n_groups 1"));
  chosen.wbits = 16;
  CHECK_THAT(refusal(), contains("--wbits 16"));
  CHECK(!fs::exists(tiny.directory / "saved"));
}

TEST_CASE("a run saves what it evaluated, in each format that can hold it", "[save_format]") {
  tiny_run tiny(1);
  auto& chosen = tiny.chosen;
  chosen.methods = {method::mi};
  chosen.save = tiny.directory / "saved";
  SECTION("miq: mixed widths, a scale for each channel") { chosen.save_format = save_format::miq; }
  SECTION("compressed-tensors") {
    chosen.save_format = save_format::compressed_tensors;
    chosen.layout = grid_layout::per_row_and_group;
    chosen.grid = grid_symmetry::asymmetric;
    chosen.scales = scale_format::float16;
    chosen.n_groups = 1;
    chosen.prune_only = "fc";
  }
  const auto report = run_compression(chosen);
  REQUIRE(report.methods.size() == 1);
  if (chosen.save_format == save_format::miq) {
    auto again = chosen;
    again.model = chosen.save;
    again.save.clear();
    again.save_format = save_format::huggingface;
    again.methods = {method::dense};
    CHECK(run_compression(again).methods[0].texts[0].perplexity == report.methods[0].texts[0].perplexity);
  } else {
    const auto config = read_json(chosen.save / "config.json")["quantization_config"];
    CHECK(config["config_groups"].size() == 1);
    CHECK(config["ignore"].size() == 1 + tiny_layers * 4);
  }
}

// Not a test: writes models of every kind and what they stand for, for tests/python/test_saved_formats.py.
TEST_CASE("models for the checks against Python packages", "[.export]") {
  const char* folder = std::getenv("MIQ_EXPORT_DIR");
  REQUIRE(folder != nullptr);
  const auto dense = load_model(exec(), demo_model());
  for (const auto& how : export_cases()) {
    auto model = dense;
    const auto stored = compress_all(model, how, 7);
    const auto target = fs::path(folder) / how.name;
    save_model(model, demo_model(), target, {.format = how.format, .matrices = &stored});
    save_model(model, demo_model(), target.string() + "-expected");
  }
}
