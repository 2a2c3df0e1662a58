#include "compress_opt/checkpoint/pickle.hpp"

#include <miq/core/random.hpp>

#include "support.hpp"
#include "test_support/catch.hpp"

using namespace compress_opt;
using namespace miq_test;
using namespace std::string_literals;

namespace {

auto read(const std::string& program) { return read_state_dictionary(std::as_bytes(std::span(program)), "test.bin"); }

std::string refusal(const std::string& program) {
  return message_of<checkpoint_error>([&] { read(program); });
}

// Pieces of programs, by Python's pickletools.
std::string text(const std::string& value) { return "\x8C"s + static_cast<char>(value.size()) + value; }
std::string number(int value) { return "K"s + static_cast<char>(value); }
std::string long_number(std::uint64_t value) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &value, 8);
  return "\x8A\x08"s + bytes;
}
std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }
std::string storage(const std::string& type = "FloatStorage", const std::string& key = "0",
                    const std::string& elements = "K\x06") {
  return "(" + text("storage") + global("torch", type) + text(key) + text("cpu") + elements + "tQ";
}
std::string tensor(const std::string& of = storage(), const std::string& offset = number(0),
                   const std::string& shape = number(2) + number(3) + "\x86",
                   const std::string& strides = number(3) + number(1) + "\x86") {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + of + offset + shape + strides + "\x89" +
         global("collections", "OrderedDict") + ")RtR";
}
std::string dictionary(const std::string& items) { return "\x80\x02}(" + items + "u."; }

}  // namespace

TEST_CASE("a state dictionary is read", "[pickle]") {
  const auto found =
      read(dictionary(text("a") + tensor() + text("b") + tensor(storage("HalfStorage", "17"), number(1))));
  REQUIRE(found.size() == 2);
  CHECK(found.at("a").shape == std::vector<std::int64_t>{2, 3});
  CHECK(found.at("a").strides == std::vector<std::int64_t>{3, 1});
  CHECK(found.at("a").storage_elements == 6);
  CHECK(found.at("b").storage_type == "HalfStorage");
  CHECK(found.at("b").storage_key == "17");
  CHECK(found.at("b").offset == 1);

  // a parameter; an OrderedDict with _metadata; a value stored and recalled
  const auto parameter = global("torch._utils", "_rebuild_parameter") + "(" + tensor() + "\x88" +
                         global("collections", "OrderedDict") + ")RtR";
  const auto ordered = "\x80\x04" + global("collections", "OrderedDict") + ")R(" + text("p") + parameter + "q\x05" +
                       text("same") + "h\x05u}" + text("_metadata") + "}sb.";
  const auto other = read(ordered);
  CHECK(other.size() == 2);
  CHECK(other.at("p").shape == other.at("same").shape);
}

TEST_CASE("pickles that would run something are refused by name", "[pickle]") {
  CHECK_THAT(refusal("cos\nsystem\n(X\x02\x00\x00\x00lstR."s),
             contains("test.bin") && contains("byte 0") && contains("os.system"));
  CHECK_THAT(refusal("\x80\x04\x8C\x05posix\x8C\x06system\x93."s), contains("posix.system"));
  for (const auto& name :
       {std::pair("builtins", "eval"), std::pair("torch._utils", "_rebuild_tensor"), std::pair("torch", "load"),
        std::pair("torch.storage", "FloatStorage"), std::pair("collections", "deque"), std::pair("torch", "Storage")})
    CHECK_THAT(refusal(dictionary(text("a") + global(name.first, name.second))),
               contains(std::string(name.first) + "." + name.second) && contains("refused"));
  // INST, OBJ, NEWOBJ, NEWOBJ_EX, EXT1, PERSID, BYTEARRAY8, APPENDS ...
  for (const std::string opcode :
       {"i", "o", "\x81", "\x92", "\x82", "P", "\x96", "e", "]", "2", "0", "1", "I", "G", "\xFF"}) {
    char hex[8];
    std::snprintf(hex, sizeof(hex), "0x%02X", static_cast<unsigned char>(opcode[0]));
    CHECK_THAT(refusal("\x80\x02" + opcode), contains("byte 2") && contains(hex));
  }
  CHECK_THAT(refusal(global("torch", "FloatStorage") + ")R."), contains("called"));
  CHECK_THAT(refusal("})R."), contains("what is called"));
}

TEST_CASE("pickles that are not state dictionaries are refused", "[pickle]") {
  const auto entry = [](const std::string& value) { return refusal(dictionary(text("a") + value)); };
  CHECK_THAT(refusal(""), contains("too early"));
  CHECK_THAT(refusal("\x80\x02N."), contains("dictionary"));
  CHECK_THAT(refusal("\x80\x01}."), contains("protocol 1"));
  CHECK_THAT(refusal("\x80\x06}."), contains("protocol 6"));
  CHECK_THAT(refusal("}}."), contains("more than one value"));
  CHECK_THAT(refusal("}(."), contains("empty"));
  CHECK_THAT(refusal("(}."), contains("more than one value"));
  CHECK_THAT(refusal("}.x"), contains("follow"));
  CHECK_THAT(refusal("."), contains("empty"));
  CHECK_THAT(refusal("u."), contains("mark"));
  CHECK_THAT(refusal("h\x07."), contains("value 7"));
  CHECK_THAT(refusal("\x85."), contains("empty"));
  CHECK_THAT(refusal("X\xFF\xFF\xFF\xFF."), contains("too early"));
  CHECK_THAT(refusal("\x8A\x09"
                     "123456789."),
             contains("64 bits"));
  CHECK_THAT(refusal("cos"), contains("too early"));
  CHECK_THAT(entry("}"), contains("'a'") && contains("tensor"));
  CHECK_THAT(entry(tensor() + text("a") + tensor()), contains("'a'") && contains("twice"));
  CHECK_THAT(refusal(dictionary(number(3) + tensor())), contains("name"));
  CHECK_THAT(refusal("}" + text("_metadata") + "sb."), contains("empty"));
  CHECK_THAT(refusal("}}" + text("__class__") + "Nsb."), contains("__class__"));
  CHECK_THAT(refusal("N}b."), contains("state"));
}

TEST_CASE("tensors that cannot be are refused", "[pickle]") {
  const auto entry = [](const std::string& value) { return refusal(dictionary(text("a") + value)); };
  const auto minus_one = "J\xFF\xFF\xFF\xFF"s;
  CHECK_THAT(entry(tensor(storage(), minus_one)), contains("offset"));
  CHECK_THAT(entry(tensor(storage(), number(0), minus_one + number(3) + "\x86")), contains("shape"));
  CHECK_THAT(entry(tensor(storage(), number(0), number(2) + number(3) + "\x86", minus_one + number(1) + "\x86")),
             contains("strides"));
  CHECK_THAT(entry(tensor(storage(), number(0), long_number(1ULL << 62) + long_number(4) + "\x86")), contains("shape"));
  CHECK_THAT(entry(tensor(storage(), number(0), number(6) + "\x85")), contains("strides"));
  CHECK_THAT(entry(tensor(storage(), number(0), text("2") + number(3) + "\x86")), contains("shape"));
  CHECK_THAT(entry(tensor(storage(), number(0), "(" + std::string(20, 'N') + "t")), contains("extents"));
  CHECK_THAT(entry(tensor("N")), contains("storage"));
  CHECK_THAT(entry(tensor(storage("FloatStorage", "../0"))), contains("key"));
  CHECK_THAT(entry(tensor(storage("FloatStorage", ""))), contains("key"));
  CHECK_THAT(entry(tensor(storage("FloatStorage", "0", minus_one))), contains("negative"));
  CHECK_THAT(entry(tensor(storage("FloatStorage", "0", "N"))), contains("size"));
  CHECK_THAT(entry("NQ"), contains("persistent"));
  CHECK_THAT(entry(number(1) + number(2) + "\x86Q"), contains("persistent"));
}

TEST_CASE("every shortened pickle is refused, and changed ones never crash", "[pickle]") {
  const auto whole = dictionary(text("a") + tensor() + text("b") + tensor(storage("HalfStorage", "17"), number(1)));
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_THROWS_AS(read(whole.substr(0, size)), checkpoint_error);

  miq::random_stream random(seed());
  for (int i = 0; i < 5000; ++i) {
    auto changed = whole;
    for (auto flips = 1 + random.below(4); flips > 0; --flips)
      changed[random.below(changed.size())] = static_cast<char>(random());
    CHECK(returns_or_refuses<checkpoint_error>([&] { read(changed); }));
  }
  // Programs of nothing but known opcodes get further.
  const std::string opcodes = "\x80\x02\x95.(N\x88\x89JKM\x8AX\x8C)\x85\x86\x87t}suqr\x94hjc\x93QRb";
  for (int i = 0; i < 5000; ++i) {
    std::string program;
    for (auto length = random.below(200); length > 0; --length) program += opcodes[random.below(opcodes.size())];
    CHECK(returns_or_refuses<checkpoint_error>([&] { read(program); }));
  }
}

TEST_CASE("greedy pickles are refused before they take much memory", "[pickle]") {
  CHECK_THAT(refusal(std::string(3'000'000, '}')), contains("more values"));
  CHECK_THAT(refusal(std::string(3'000'000, '(')), contains("more marks"));
  std::string recalls = "}q"s + '\0';
  for (int i = 0; i < 2'000'000; ++i) recalls += "h"s + '\0';
  CHECK_THAT(refusal(recalls), contains("higher"));
  CHECK_THAT(refusal(std::string(20'000'000, '}')), contains("bytes"));
  // a tuple of tuples, 500 000 deep: nothing recurses
  std::string deep = "N";
  deep += std::string(500'000, '\x85');
  CHECK_THAT(refusal(deep + "."), contains("dictionary"));
}
