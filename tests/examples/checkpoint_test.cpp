#include <algorithm>
#include <cmath>
#include <limits>

#include "compress_opt/checkpoint/checkpoint.hpp"
#include "compress_opt/model/forward.hpp"
#include "support.hpp"
#include "test_support/catch.hpp"

using namespace compress_opt;
using namespace miq_test;

namespace {

const miq::host_executor& exec() {
  static const miq::host_executor instance({.threads = 2});
  return instance;
}

std::string message_of_loading(const fs::path& directory) {
  return message_of<checkpoint_error>([&] { load_model(exec(), directory); });
}

double worst_logit(const opt_model& model, const std::string& name) {
  const auto fixture = read_json(test_data() / "checkpoints/logits.json");
  const auto logits = forward_pass(exec(), model).logits(fixture["ids"].get<std::vector<std::int32_t>>());
  const auto& expected = fixture["logits"].at(name);
  REQUIRE(static_cast<std::int64_t>(expected.size()) == logits.rows());
  double worst = 0;
  for (std::int64_t r = 0; r < logits.rows(); ++r)
    for (std::int64_t c = 0; c < logits.columns(); ++c)
      worst =
          std::max(worst, std::abs(expected[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)].get<double>() -
                                   static_cast<double>(logits(r, c))));
  return worst;
}

/// A copy of a checkpoint whose configuration and safetensors file can be changed.
class changed_checkpoint {
 public:
  explicit changed_checkpoint(const std::string& name = "safetensors-bfloat16-plain") {
    copy_files(checkpoint(name), directory_.path());
    config = read_json(directory_ / "config.json");
    if (fs::exists(weights_file())) weights = safetensors_text::read(weights_file());
  }

  fs::path weights_file() const { return directory_ / "model.safetensors"; }
  const fs::path& path() const { return directory_.path(); }

  std::string message() {
    write_text(directory_ / "config.json", config.dump());
    if (fs::exists(weights_file())) weights.write(weights_file());
    return message_of_loading(path());
  }

  nlohmann::json config;
  safetensors_text weights;

 private:
  temporary_directory directory_;
};

const std::string fc1 = "model.decoder.layers.1.fc1.weight";  // [20, 12] in bfloat16

}  // namespace

TEST_CASE("every layout gives transformers' logits", "[checkpoint]") {
  for (const auto& name : checkpoint_names()) {
    INFO(name);
    CHECK(worst_logit(load_model(exec(), checkpoint(name)), name) < 2e-4);
  }
}

TEST_CASE("the model says what it is", "[checkpoint]") {
  const auto projected = load_model(exec(), checkpoint("torch-post-norm-projected"));
  CHECK(projected.config.embedding == 6);
  CHECK_FALSE(projected.config.layer_norm_before);
  CHECK_FALSE(projected.config.has_final_layer_norm);
  CHECK(projected.config.tied_head);
  CHECK(projected.lm_head.empty());
  CHECK(projected.stored_as == element_type::float32);

  const auto own = load_model(exec(), checkpoint("torch-float16-own-head"));
  CHECK_FALSE(own.config.tied_head);
  CHECK(own.lm_head.rows() == 32);
  CHECK(own.stored_as == element_type::float16);

  const auto plain = load_model(exec(), checkpoint("safetensors-bfloat16-plain"));
  CHECK(plain.stored_as == element_type::bfloat16);
  CHECK(plain.layers[0].fc1.bias.empty());
  CHECK(plain.layers[0].final_layer_norm.weight.empty());
  CHECK(plain.config.feed_forward_activation == activation::gelu);
  CHECK(plain.layers[1][linear_id::fc1].weight.rows() == 20);
}

TEST_CASE("a head beside tied embeddings counts if it differs, as in transformers", "[checkpoint]") {
  changed_checkpoint copy;
  auto& header = copy.weights.header;
  const std::string embeddings = "model.decoder.embed_tokens.weight";
  const auto range = header[embeddings]["data_offsets"].get<std::vector<std::size_t>>();
  const std::string bytes = copy.weights.data.substr(range[0], range[1] - range[0]);
  header["lm_head.weight"] = header[embeddings];
  header["lm_head.weight"]["data_offsets"] = {copy.weights.data.size(), copy.weights.data.size() + bytes.size()};
  copy.weights.data += bytes;
  copy.weights.write(copy.weights_file());
  CHECK(load_model(exec(), copy.path()).lm_head.empty());

  copy.weights.data.back() = static_cast<char>(copy.weights.data.back() ^ 1);
  copy.weights.write(copy.weights_file());
  const auto own = load_model(exec(), copy.path());
  CHECK(own.lm_head.rows() == 32);
  CHECK_FALSE(own.config.tied_head);
}

TEST_CASE("a file with the head only gives tied embeddings", "[checkpoint]") {
  changed_checkpoint copy;
  auto& header = copy.weights.header;
  header["lm_head.weight"] = header["model.decoder.embed_tokens.weight"];
  header.erase("model.decoder.embed_tokens.weight");
  copy.weights.write(copy.weights_file());
  const auto model = load_model(exec(), copy.path());
  CHECK(model.lm_head.empty());
  CHECK(worst_logit(model, "safetensors-bfloat16-plain") < 2e-4);
}

TEST_CASE("wrong tensors are named with their file", "[checkpoint]") {
  changed_checkpoint copy;
  auto& header = copy.weights.header;
  SECTION("missing") {
    auto moved = header[fc1];
    header.erase(fc1);
    header["model.decoder.other"] = moved;
    CHECK_THAT(copy.message(), contains("model.safetensors") && contains("layers.1.fc1.weight") && contains("missing"));
  }
  SECTION("wrong shape") {
    header[fc1]["shape"] = {12, 20};
    CHECK_THAT(copy.message(),
               contains("model.safetensors") && contains(fc1) && contains("[12, 20]") && contains("[20, 12]"));
  }
  SECTION("not finite") {
    const auto begin = header[fc1]["data_offsets"][0].get<std::size_t>();
    copy.weights.data[begin + 14] = static_cast<char>(0xC0);  // element 7, bfloat16 0x7FC0: NaN
    copy.weights.data[begin + 15] = static_cast<char>(0x7F);
    CHECK_THAT(copy.message(),
               contains("model.safetensors") && contains(fc1) && contains("not finite") && contains("element 7"));
    copy.weights.data[begin + 14] = static_cast<char>(0x80);  // 0xFF80: minus infinity
    copy.weights.data[begin + 15] = static_cast<char>(0xFF);
    CHECK_THAT(copy.message(), contains(fc1) && contains("-inf"));
  }
  SECTION("integers") {
    header[fc1]["dtype"] = "I16";
    CHECK_THAT(copy.message(), contains(fc1) && contains("I16") && contains("float32"));
  }
  SECTION("an unknown type") {
    header[fc1]["dtype"] = "F12";
    CHECK_THAT(copy.message(), contains(fc1) && contains("F12"));
  }
  SECTION("the same part under two names") {
    auto moved = header[fc1];
    header["decoder.layers.0.fc1.weight"] = moved;
    header.erase(fc1);
    CHECK_THAT(copy.message(), contains("layers.0.fc1.weight") && contains("ambiguous"));
  }
  SECTION("more layers than announced") {
    copy.config["num_hidden_layers"] = 1;
    CHECK_THAT(copy.message(), contains("layers.1.") && contains("1 layers"));
  }
  SECTION("fewer layers than announced") {
    copy.config["num_hidden_layers"] = 3;
    CHECK_THAT(copy.message(), contains("layers.2.") && contains("missing"));
  }
}

TEST_CASE("a safetensors file must keep its own promises", "[checkpoint]") {
  changed_checkpoint copy;
  auto& header = copy.weights.header;
  const auto raw = [&](const std::string& text) {
    safetensors_text::write_raw(copy.weights_file(), text, copy.weights.data);
    return message_of_loading(copy.path());
  };
  SECTION("offsets outside") {
    for (const nlohmann::json& offsets :
         {nlohmann::json{0, 1 << 30}, nlohmann::json{10, 4}, nlohmann::json{0, 0xFFFFFFFFFFFFFFFFU},
          nlohmann::json{-1, 4}, nlohmann::json{0}, nlohmann::json{0, 1.5}, nlohmann::json{0, "4"}}) {
      header[fc1]["data_offsets"] = offsets;
      CHECK_THAT(copy.message(), contains("model.safetensors") && contains(fc1));
    }
  }
  SECTION("products that overflow") {
    for (const nlohmann::json& shape : {nlohmann::json{1ULL << 62, 1ULL << 62},
                                        nlohmann::json{1ULL << 32, 1ULL << 31, 2}, nlohmann::json{1ULL << 62, 2},
                                        nlohmann::json{-20, -12}, nlohmann::json{20.0, 12}, nlohmann::json{{20, 12}}}) {
      header[fc1]["shape"] = shape;
      CHECK_THAT(copy.message(), contains("model.safetensors") && contains(fc1));
    }
  }
  SECTION("overlap and gap") {
    auto& range = header[fc1]["data_offsets"];
    const auto begin = range[0].get<std::size_t>(), end = range[1].get<std::size_t>();
    range = {begin - 2, end - 2};
    CHECK_THAT(copy.message(), contains("overlap"));
    range = {begin, end};
    copy.weights.data += "xx";
    CHECK_THAT(copy.message(), contains("bytes of data"));
  }
  SECTION("fields that are missing") {
    for (const char* field : {"dtype", "shape", "data_offsets"}) {
      const auto kept = header[fc1];
      header[fc1].erase(field);
      CHECK_THAT(copy.message(), contains(fc1));
      header[fc1] = kept;
    }
    header[fc1] = 3;
    CHECK_THAT(copy.message(), contains(fc1));
  }
  SECTION("headers that are not JSON objects") {
    CHECK_THAT(raw(""), contains("JSON"));
    CHECK_THAT(raw("[1]"), contains("not a JSON object"));
    CHECK_THAT(raw("{} {}"), contains("JSON"));
    CHECK_THAT(raw(std::string(1'000'000, '[')), contains("deeper"));
    std::string deep = "{\"a\":";
    for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
    CHECK_THAT(raw(deep), contains("deeper"));
    CHECK_THAT(raw("{\"a\":{\"dtype\":\"F32\"},\"a\":{}}"), contains("'a' twice"));
  }
  SECTION("control characters do not reach the terminal") {
    const auto text = raw("{\"\\u001b[2J\":3}");
    CHECK_THAT(text, contains("?[2J"));
    CHECK(text.find('\x1b') == std::string::npos);
  }
}

TEST_CASE("files that are missing or strange are named", "[checkpoint]") {
  changed_checkpoint copy;
  SECTION("no weights") {
    fs::remove(copy.weights_file());
    CHECK_THAT(copy.message(), contains("model.safetensors") && contains("pytorch_model.bin"));
  }
  SECTION("no configuration") {
    fs::remove(copy.path() / "config.json");
    CHECK_THAT(message_of_loading(copy.path()), contains("config.json"));
  }
  SECTION("a directory in a file's place") {
    fs::remove(copy.weights_file());
    fs::create_directory(copy.weights_file());
    CHECK_THAT(message_of_loading(copy.path()), contains("model.safetensors") && contains("not a regular file"));
  }
  SECTION("not there at all") { CHECK_THAT(message_of_loading("/nonexistent"), contains("/nonexistent")); }
  SECTION("PyTorch's old format") {
    fs::remove(copy.weights_file());
    write_text(copy.path() / "pytorch_model.bin", "\x80\x02\x8A\x0Al\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.");
    CHECK_THAT(message_of_loading(copy.path()), contains("pytorch_model.bin") && contains("1.6"));
    write_text(copy.path() / "pytorch_model.bin", "hello");
    CHECK_THAT(message_of_loading(copy.path()), contains("not a zip archive"));
  }
}

TEST_CASE("an index of shards is checked", "[checkpoint]") {
  for (const std::string name : {"safetensors-sharded-projected", "torch-sharded-views"}) {
    changed_checkpoint copy(name);
    const auto index_file =
        copy.path() / (name[0] == 's' ? "model.safetensors.index.json" : "pytorch_model.bin.index.json");
    const auto index = read_json(index_file);
    const auto first = index["weight_map"].begin();
    const auto message = [&](const nlohmann::json& changed) {
      write_text(index_file, changed.dump());
      return message_of_loading(copy.path());
    };
    for (const char* path : {"../x", "/etc/passwd", "..", "", "a/b"}) {
      auto changed = index;
      changed["weight_map"][first.key()] = path;
      CHECK_THAT(message(changed), contains(index_file.string()) && contains(first.key()));
    }
    auto changed = index;
    changed["weight_map"][first.key()] = "absent.file";
    CHECK_THAT(message(changed), contains("absent.file"));
    changed = index;
    changed["weight_map"][first.key()] = 3;
    CHECK_THAT(message(changed), contains(first.key()));
    changed = index;
    changed["weight_map"]["layers.0.absent"] = first.value();
    CHECK_THAT(message(changed), contains("layers.0.absent") && contains("missing"));
    CHECK_THAT(message({{"weight_map", {1, 2}}}), contains("weight_map"));
    CHECK_THAT(message(nlohmann::json::object()), contains("weight_map"));
  }
}

TEST_CASE("the configuration is checked", "[checkpoint]") {
  changed_checkpoint copy;
  const auto message = [&](const char* key, const nlohmann::json& value) {
    const auto kept = copy.config;
    copy.config[key] = value;
    const auto text = copy.message();
    copy.config = kept;
    return text;
  };
  for (const char* key : {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "ffn_dim",
                          "max_position_embeddings", "word_embed_proj_dim"})
    for (const nlohmann::json& value :
         {nlohmann::json(0), nlohmann::json(-1), nlohmann::json(1.5), nlohmann::json("12"), nlohmann::json(1ULL << 40),
          nlohmann::json(0xFFFFFFFFFFFFFFFFU), nlohmann::json::array()})
      CHECK_THAT(message(key, value), contains("config.json") && contains(key));
  CHECK_THAT(message("vocab_size", nullptr), contains("vocab_size") && contains("missing"));
  CHECK_THAT(message("num_attention_heads", 5), contains("num_attention_heads"));
  CHECK_THAT(message("activation_function", "swish"), contains("swish") && contains("gelu"));
  CHECK_THAT(message("activation_function", 1), contains("activation_function"));
  CHECK_THAT(message("model_type", "llama"), contains("llama"));
  CHECK_THAT(message("do_layer_norm_before", "yes"), contains("do_layer_norm_before"));
  CHECK_THAT(message("bos_token_id", 32), contains("bos_token_id"));
  CHECK_THAT(message("vocab_size", 33), contains("embed_tokens") && contains("[33, 12]"));
  CHECK_THAT(message("max_position_embeddings", 17), contains("embed_positions") && contains("[19, 12]"));
  // A file that claims far more than it holds costs no memory.
  CHECK_THAT(message("hidden_size", 12'000'000), contains("embed_positions"));
  write_text(copy.path() / "config.json", "{\"a\":1,\"a\":2}");
  CHECK_THAT(message_of_loading(copy.path()), contains("twice"));
  // word_embed_proj_dim may be null or missing: hidden_size
  copy.config.erase("word_embed_proj_dim");
  CHECK(copy.message() == "(nothing was thrown)");
}
