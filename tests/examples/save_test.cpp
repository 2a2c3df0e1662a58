#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <limits>
#include <optional>
#include <set>

#include "compress_opt/checkpoint/checkpoint.hpp"
#include "compress_opt/checkpoint/save.hpp"
#include "support.hpp"
#include "test_support/catch.hpp"

using namespace compress_opt;
using namespace miq_test;

namespace {

const miq::host_executor& exec() {
  static const miq::host_executor instance({.threads = 1});
  return instance;
}

bool same(const miq::matrix<float>& a, const miq::matrix<float>& b) {
  return a.rows() == b.rows() && a.columns() == b.columns() && std::equal(a.data(), a.data() + a.size(), b.data());
}
bool same(const layer_norm& a, const layer_norm& b) { return a.weight == b.weight && a.bias == b.bias; }

bool same(const opt_model& a, const opt_model& b) {
  bool equal = same(a.embed_tokens, b.embed_tokens) && same(a.embed_positions, b.embed_positions) &&
               same(a.project_in, b.project_in) && same(a.project_out, b.project_out) && same(a.lm_head, b.lm_head) &&
               same(a.final_layer_norm, b.final_layer_norm) && a.layers.size() == b.layers.size();
  for (std::size_t i = 0; equal && i < a.layers.size(); ++i) {
    equal = same(a.layers[i].self_attn_layer_norm, b.layers[i].self_attn_layer_norm) &&
            same(a.layers[i].final_layer_norm, b.layers[i].final_layer_norm);
    for (const auto id : all_linears)
      equal =
          equal && same(a.layers[i][id].weight, b.layers[i][id].weight) && a.layers[i][id].bias == b.layers[i][id].bias;
  }
  return equal;
}

std::set<std::string> names_in(const fs::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename().string());
  return names;
}

std::string refusal(const opt_model& model, const fs::path& source, const fs::path& target,
                    const save_options& options = {}) {
  return message_of<checkpoint_error>([&] { save_model(model, source, target, options); });
}

}  // namespace

TEST_CASE("a saved model is the same when it is read again", "[save]") {
  const temporary_directory directory;
  for (const auto& name : checkpoint_names()) {
    INFO(name);
    const auto model = load_model(exec(), checkpoint(name));
    save_model(model, checkpoint(name), directory / name);
    const auto again = load_model(exec(), directory / name);
    CHECK(same(model, again));
    CHECK(again.stored_as == element_type::float32);
    CHECK(names_in(directory / name) == std::set<std::string>{"config.json", "model.safetensors"});
    const auto config = read_json(directory / name / "config.json");
    CHECK(config["dtype"] == "float32");
    CHECK(config["tie_word_embeddings"] == model.config.tied_head);

    // The file's own type holds the file's own weights.
    save_model(model, checkpoint(name), directory / (name + "-original"), {.type = std::nullopt});
    const auto original = load_model(exec(), directory / (name + "-original"));
    CHECK(same(model, original));
    CHECK(original.stored_as == model.stored_as);
  }
}

TEST_CASE("the tokenizer goes with the saved model", "[save]") {
  const temporary_directory directory;
  const auto model = load_model(exec(), demo_model());
  save_model(model, demo_model(), directory / "saved");
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"})
    CHECK(read_text(directory / "saved" / name) == read_text(demo_model() / name));
  save_model(model, demo_model(), directory / "half", {.type = element_type::float16});
  CHECK(same(model, load_model(exec(), directory / "half")));
  CHECK(read_json(directory / "half/config.json")["dtype"] == "float16");
  CHECK(fs::file_size(directory / "half/model.safetensors") * 100 <
        fs::file_size(directory / "saved/model.safetensors") * 51);
  CHECK(names_in(directory.path()) == std::set<std::string>{"half", "saved"});
}

TEST_CASE("a save that ends early leaves no trace", "[save]") {
  const temporary_directory directory;
  const auto source = checkpoint("torch-sharded-views");
  auto model = load_model(exec(), source);
  const bool existing = GENERATE(false, true);
  if (existing) save_model(model, source, directory / "out");
  const auto before = names_in(directory.path());
  const auto unchanged = [&] {
    return names_in(directory.path()) == before && (!existing || same(load_model(exec(), directory / "out"), model));
  };

  SECTION("cancelled") {
    double last = 0;
    const auto stop_half_way = [&](std::string_view phase, double fraction) {
      CHECK(phase == "save");
      CHECK(fraction > last);
      last = fraction;
      return fraction < 0.5;
    };
    CHECK_THROWS_AS(save_model(model, source, directory / "out", {.progress = stop_half_way}), miq::cancelled);
    CHECK(last < 0.6);
    CHECK(unchanged());
  }
  SECTION("a full disk") {
    // The limit of a file's size stands for the disk's: the write fails half-way.
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{8192, limit.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto message = refusal(model, source, directory / "out");
    ::setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, handler);
    CHECK_THAT(message, contains("model.safetensors") && contains("cannot be written"));
    CHECK(unchanged());
  }
  SECTION("a weight that the type cannot hold") {
    auto spoilt = model;
    spoilt.layers[1].fc2.weight(3, 4) = 70'000;
    CHECK_THAT(refusal(spoilt, source, directory / "out", {.type = element_type::float16}),
               contains("layers.1.fc2.weight") && contains("element 64"));
    spoilt.layers[1].fc2.weight(3, 4) = std::numeric_limits<float>::quiet_NaN();
    CHECK_THAT(refusal(spoilt, source, directory / "out"), contains("layers.1.fc2.weight"));
    CHECK(unchanged());
  }
}

TEST_CASE("an existing checkpoint is replaced whole, anything else is left alone", "[save]") {
  const temporary_directory directory;
  const auto source = checkpoint("safetensors-bfloat16-plain");
  auto model = load_model(exec(), source);
  const auto target = directory / "out";

  fs::create_directory(target);
  save_model(model, source, target / "");  // an empty directory, named with a slash at the end
  CHECK(same(model, load_model(exec(), target)));

  write_text(target / "merges.txt", "old");
  model.layers[0].fc1.weight(0, 0) = 5;
  save_model(model, source, target);
  CHECK(load_model(exec(), target).layers[0].fc1.weight(0, 0) == 5);
  CHECK(names_in(target) == std::set<std::string>{"config.json", "model.safetensors"});
  CHECK(names_in(directory.path()) == std::set<std::string>{"out"});

  write_text(target / "thesis.txt", "years of work");
  CHECK_THAT(refusal(model, source, target), contains("thesis.txt"));
  CHECK(read_text(target / "thesis.txt") == "years of work");
  CHECK(names_in(directory.path()) == std::set<std::string>{"out"});

  write_text(directory / "file", "");
  CHECK_THAT(refusal(model, source, directory / "file"), contains("not a directory"));
  CHECK_THAT(refusal(model, source, directory / "none/out"), contains("none") && contains("does not exist"));
  fs::create_directory_symlink(target, directory / "link");
  CHECK_THAT(refusal(model, source, directory / "link"), contains("symbolic link"));
  for (const char* path : {"", ".", "..", "/"})
    CHECK_THAT(refusal(model, source, path), contains("name of a directory"));

  save_model(model, source, directory / "second");
  CHECK_THAT(refusal(model, directory / "second", directory / "second"), contains("was read"));
  CHECK_THROWS_AS(check_save_target(source, directory / "file"), checkpoint_error);
  CHECK_NOTHROW(check_save_target(source, directory / "new"));
}
