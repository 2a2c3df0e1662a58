#include "compress_opt/checkpoint/pickle.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "compress_opt/checkpoint/tensor_source.hpp"
#include "compress_opt/errors.hpp"

namespace compress_opt {

namespace {

constexpr std::size_t largest_pickle = 16 << 20;  // a tensor takes about 200 bytes
constexpr std::size_t most_values = 1 << 20;
constexpr std::size_t most_extents = 8;  // of a tensor; bounds what many tensors that share one tuple can take

/// The functions and classes that are accepted; storages are accepted by their name.
enum class callable { ordered_dictionary, rebuild_tensor, rebuild_parameter, storage_class };

enum class kind { none, boolean, integer, text, tuple, dictionary, global, storage, tensor };

constexpr std::array<const char*, 9> kind_names = {"None",         "a boolean", "an integer", "a string", "a tuple",
                                                   "a dictionary", "a global",  "a storage",  "a tensor"};

using handle = std::uint32_t;  // of a value

/// One value. Values refer to each other by handles, so that none of them is destroyed recursively.
struct value {
  kind is = kind::none;
  std::int64_t number = 0;    // integer, boolean; callable of a global; elements of a storage; tensor's place
  std::string text;           // string; class of a storage
  std::string key;            // of a storage
  std::vector<handle> items;  // tuple; dictionary: keys and values in turn
};

class machine {
 public:
  machine(std::span<const std::byte> program, const std::string& source) : program_(program), source_(source) {}

  std::map<std::string, pickled_tensor> run() {
    if (program_.size() > largest_pickle)
      fail("the pickle has " + std::to_string(program_.size()) + " bytes; state dictionaries are smaller");
    while (!stopped_) step();
    if (at_ != program_.size()) fail("bytes follow the end of the pickle");
    return state_dictionary();
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw checkpoint_error(source_ + ": byte " + std::to_string(opcode_at_) + ": " + what);
  }

  // Reading the program.

  std::string_view take(std::uint64_t count) {
    if (count > program_.size() - at_) fail("the pickle ends too early");
    const std::string_view taken(reinterpret_cast<const char*>(program_.data()) + at_, static_cast<std::size_t>(count));
    at_ += static_cast<std::size_t>(count);
    return taken;
  }

  std::uint64_t take_unsigned(std::size_t bytes) {
    std::uint64_t result = 0;
    const auto taken = take(bytes);
    for (std::size_t i = bytes; i-- > 0;) result = result << 8 | static_cast<unsigned char>(taken[i]);
    return result;
  }

  std::int64_t take_signed(std::size_t bytes) {
    if (bytes == 0) return 0;
    const unsigned shift = 64 - 8 * static_cast<unsigned>(bytes);
    return static_cast<std::int64_t>(take_unsigned(bytes) << shift) >> shift;
  }

  std::string_view take_line() {
    const auto rest = std::string_view(reinterpret_cast<const char*>(program_.data()), program_.size()).substr(at_);
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) fail("the pickle ends too early");
    const auto line = take(end);
    take(1);
    return line;
  }

  // The stack.

  handle push(value made) {
    if (values_.size() >= most_values) fail("the pickle makes more values than a state dictionary has");
    values_.push_back(std::move(made));
    stack_.push_back(static_cast<handle>(values_.size() - 1));
    return stack_.back();
  }

  handle pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) fail("the stack is empty");
    const handle top = stack_.back();
    stack_.pop_back();
    return top;
  }

  value& top() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) fail("the stack is empty");
    return values_[stack_.back()];
  }

  std::vector<handle> pop_to_mark() {
    if (marks_.empty()) fail("there is no mark on the stack");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<handle> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }

  const value& expect(handle which, kind is, const char* where) const {
    if (values_[which].is != is)
      fail(std::string(where) + " must be " + kind_names[static_cast<std::size_t>(is)] + ", got " + name(which));
    return values_[which];
  }

  const char* name(handle which) const { return kind_names[static_cast<std::size_t>(values_[which].is)]; }

  // The opcodes, by Python's names for them (Lib/pickletools.py describes them).

  void step() {
    opcode_at_ = at_;
    const auto opcode = static_cast<unsigned char>(take(1)[0]);
    switch (opcode) {
      case 0x80:  // PROTO
        if (const auto version = take_unsigned(1); version < 2 || version > 5)
          fail("pickle protocol " + std::to_string(version) + " is not supported, only 2 to 5");
        return;
      case 0x95:
        take(8);
        return;  // FRAME: only a hint
      case '.':
        stopped_ = true;
        return;  // STOP
      case '(':
        return push_mark();
      case 'N':
        push({});
        return;
      case 0x88:
        push({kind::boolean, 1, {}, {}, {}});
        return;  // NEWTRUE
      case 0x89:
        push({kind::boolean, 0, {}, {}, {}});
        return;  // NEWFALSE
      case 'J':
        return push_integer(take_signed(4));  // BININT
      case 'K':
        return push_integer(static_cast<std::int64_t>(take_unsigned(1)));  // BININT1
      case 'M':
        return push_integer(static_cast<std::int64_t>(take_unsigned(2)));  // BININT2
      case 0x8A: {                                                         // LONG1
        const auto bytes = take_unsigned(1);
        if (bytes > 8) fail("an integer has more than 64 bits");
        return push_integer(take_signed(static_cast<std::size_t>(bytes)));
      }
      case 'X':
        return push_text(take(take_unsigned(4)));  // BINUNICODE
      case 0x8C:
        return push_text(take(take_unsigned(1)));  // SHORT_BINUNICODE
      case ')':
        push({kind::tuple, 0, {}, {}, {}});
        return;  // EMPTY_TUPLE
      case 0x85:
        return push_tuple(1);
      case 0x86:
        return push_tuple(2);
      case 0x87:
        return push_tuple(3);
      case 't':
        push({kind::tuple, 0, {}, {}, pop_to_mark()});
        return;  // TUPLE
      case '}':
        push({kind::dictionary, 0, {}, {}, {}});
        return;    // EMPTY_DICT
      case 's': {  // SETITEM
        const handle item = pop(), key = pop();
        return set_items({key, item});
      }
      case 'u':
        return set_items(pop_to_mark());  // SETITEMS
      case 'q':
        return remember(take_unsigned(1));  // BINPUT
      case 'r':
        return remember(take_unsigned(4));  // LONG_BINPUT
      case 0x94:
        return remember(memo_.size());  // MEMOIZE
      case 'h':
        return recall(take_unsigned(1));  // BINGET
      case 'j':
        return recall(take_unsigned(4));  // LONG_BINGET
      case 'c': {                         // GLOBAL
        const std::string module(take_line());
        return push_global(module, std::string(take_line()));
      }
      case 0x93: {  // STACK_GLOBAL
        const handle attribute = pop(), module = pop();
        return push_global(expect(module, kind::text, "a module").text, expect(attribute, kind::text, "a name").text);
      }
      case 'Q':
        return load_storage(pop());  // BINPERSID
      case 'R': {                    // REDUCE
        const handle arguments = pop(), function = pop();
        return call(function, arguments);
      }
      case 'b':
        return build(pop());  // BUILD
      default: {
        std::array<char, 8> hex{};
        std::snprintf(hex.data(), hex.size(), "0x%02X", opcode);
        fail(std::string("opcode ") + hex.data() + " is not one that a state dictionary needs; refused");
      }
    }
  }

  void push_mark() {
    if (marks_.size() >= most_values) fail("the pickle makes more marks than a state dictionary has");
    marks_.push_back(stack_.size());
  }
  void push_integer(std::int64_t number) { push({kind::integer, number, {}, {}, {}}); }
  void push_text(std::string_view text) { push({kind::text, 0, std::string(text), {}, {}}); }

  void push_tuple(std::size_t count) {
    std::vector<handle> items(count);
    for (std::size_t i = count; i-- > 0;) items[i] = pop();
    push({kind::tuple, 0, {}, {}, std::move(items)});
  }

  void set_items(const std::vector<handle>& items) {
    value& dictionary = top();
    if (dictionary.is != kind::dictionary || items.size() % 2 != 0) fail("items are set in what is not a dictionary");
    dictionary.items.insert(dictionary.items.end(), items.begin(), items.end());
  }

  void remember(std::uint64_t place) {
    top();
    memo_[place] = stack_.back();
  }

  void recall(std::uint64_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) fail("value " + std::to_string(place) + " was never stored");
    if (stack_.size() >= most_values) fail("the stack is higher than a state dictionary needs");
    stack_.push_back(found->second);
  }

  void push_global(const std::string& module, const std::string& attribute) {
    const std::string full = module + "." + attribute;
    value made{kind::global, 0, attribute, {}, {}};
    const auto is = [&made](callable what) { made.number = static_cast<std::int64_t>(what); };
    constexpr std::string_view storage = "Storage";
    constexpr std::size_t longest_class = 32;
    if (full == "collections.OrderedDict")
      is(callable::ordered_dictionary);
    else if (full == "torch._utils._rebuild_tensor_v2")
      is(callable::rebuild_tensor);
    else if (full == "torch._utils._rebuild_parameter")
      is(callable::rebuild_parameter);
    else if (module == "torch" && attribute.size() > storage.size() && attribute.ends_with(storage) &&
             attribute.size() <= longest_class && attribute.find('.') == std::string::npos)
      is(callable::storage_class);
    else
      fail("global '" + full + "' is not one that a state dictionary needs; refused");
    push(std::move(made));
  }

  /// ('storage', class, key, device, elements)
  void load_storage(handle identifier) {
    const auto& items = expect(identifier, kind::tuple, "a persistent identifier").items;
    if (items.size() != 5 || expect(items[0], kind::text, "a persistent identifier's first item").text != "storage")
      fail("a persistent identifier is not that of a storage; refused");
    const auto& type = expect(items[1], kind::global, "a storage's class");
    if (type.number != static_cast<std::int64_t>(callable::storage_class))
      fail("'" + type.text + "' is not a storage's class");
    const auto& key = expect(items[2], kind::text, "a storage's key").text;
    constexpr std::string_view allowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
    if (key.empty() || key.size() > 64 || key.find_first_not_of(allowed) != std::string::npos)
      fail("a storage's key is not a plain name");
    const auto elements = expect(items[4], kind::integer, "a storage's size").number;
    if (elements < 0) fail("a storage's size is negative");
    push({kind::storage, elements, type.text, key, {}});
  }

  void call(handle function, handle arguments) {
    const auto which = static_cast<callable>(expect(function, kind::global, "what is called").number);
    const auto& items = expect(arguments, kind::tuple, "a call's arguments").items;
    switch (which) {
      case callable::ordered_dictionary:
        if (!items.empty()) fail("OrderedDict must be made empty");
        push({kind::dictionary, 0, {}, {}, {}});
        return;
      case callable::rebuild_tensor:
        return rebuild_tensor(items);
      case callable::rebuild_parameter:
        if (items.size() != 3) fail("_rebuild_parameter must have 3 arguments");
        expect(items[0], kind::tensor, "_rebuild_parameter's first argument");
        stack_.push_back(items[0]);
        return;
      case callable::storage_class:
        break;
    }
    fail("a storage's class is called; refused");
  }

  /// (storage, offset, shape, strides, requires_grad, hooks[, metadata])
  void rebuild_tensor(const std::vector<handle>& items) {
    if (items.size() < 6 || items.size() > 7) fail("_rebuild_tensor_v2 must have 6 or 7 arguments");
    const auto& storage = expect(items[0], kind::storage, "a tensor's storage");
    for (const handle tuple : {items[2], items[3]})
      if (expect(tuple, kind::tuple, "a tensor's shape and strides").items.size() > most_extents)
        fail("a tensor has more extents than any layer's");
    pickled_tensor made{storage.text,
                        storage.key,
                        storage.number,
                        expect(items[1], kind::integer, "an offset").number,
                        integers(items[2], "a tensor's shape"),
                        integers(items[3], "a tensor's strides")};
    if (made.offset < 0) fail("a tensor's offset is negative");
    if (made.shape.size() != made.strides.size()) fail("a tensor has not as many strides as extents");
    if (!element_count(made.shape)) fail("a tensor's shape " + shape_text(made.shape) + " is not one");
    if (std::any_of(made.strides.begin(), made.strides.end(), [](std::int64_t stride) { return stride < 0; }))
      fail("a tensor's strides " + shape_text(made.strides) + " are not all positive");
    tensors_.push_back(std::move(made));
    push({kind::tensor, static_cast<std::int64_t>(tensors_.size() - 1), {}, {}, {}});
  }

  std::vector<std::int64_t> integers(handle tuple, const char* where) const {
    std::vector<std::int64_t> result;
    for (const handle item : expect(tuple, kind::tuple, where).items)
      result.push_back(expect(item, kind::integer, where).number);
    return result;
  }

  /// A state dictionary carries its `_metadata` as an attribute, which says nothing of the weights.
  void build(handle state) {
    const auto& attributes = expect(state, kind::dictionary, "an object's state");
    if (top().is != kind::dictionary) fail("the state of what is not a dictionary is set; refused");
    for (std::size_t i = 0; i < attributes.items.size(); i += 2)
      if (const auto& key = expect(attributes.items[i], kind::text, "an attribute's name").text; key != "_metadata")
        fail("attribute '" + key + "' is not one that a state dictionary has; refused");
  }

  std::map<std::string, pickled_tensor> state_dictionary() {
    const handle result = pop();
    if (!stack_.empty() || !marks_.empty()) fail("more than one value is left at the end");
    const auto& items = expect(result, kind::dictionary, "the pickle's value").items;
    std::map<std::string, pickled_tensor> tensors;
    for (std::size_t i = 0; i < items.size(); i += 2) {
      const auto& key = expect(items[i], kind::text, "a tensor's name").text;
      if (values_[items[i + 1]].is != kind::tensor)
        fail("entry '" + key + "' must be a tensor, got " + name(items[i + 1]));
      if (!tensors.emplace(key, tensors_[static_cast<std::size_t>(values_[items[i + 1]].number)]).second)
        fail("tensor '" + key + "' is there twice");
    }
    return tensors;
  }

  std::span<const std::byte> program_;
  std::string source_;
  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;
  bool stopped_ = false;
  std::vector<value> values_;
  std::vector<pickled_tensor> tensors_;
  std::vector<handle> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint64_t, handle> memo_;
};

}  // namespace

std::map<std::string, pickled_tensor> read_state_dictionary(std::span<const std::byte> pickle,
                                                            const std::string& source) {
  return machine(pickle, source).run();
}

}  // namespace compress_opt
