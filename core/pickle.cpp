#include "core/pickle.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "core/error.h"
#include "core/pickle_containers.h"
#include "core/pickle_text.h"

namespace uvic {
namespace {

constexpr size_t kMaxObjects = 5'000'000;

using ListPtr = std::shared_ptr<PickleList>;
using DictPtr = std::shared_ptr<PickleDict>;

class Machine {
 public:
  Machine(std::string_view bytes, const std::string& file, const PickleHooks& hooks)
      : bytes_(bytes), file_(file), hooks_(hooks), copy_budget_((256u << 20) + 16 * bytes.size()) {}

  PickleValue run() {
    while (true) {
      op_at_ = at_;
      const auto op = static_cast<unsigned char>(take(1)[0]);
      if (op == '.') break;
      step(op);
      if (stack_.size() + marks_.size() + memo_.size() + containers_.size() > kMaxObjects)
        stop("holds more objects than any data file");
    }
    PickleValue result = pop();
    containers_.release(file_);
    return result;
  }

  size_t consumed() const { return at_; }

 private:
  [[noreturn]] void stop(const std::string& why) const {
    fail("{}: the pickle {} (at byte {} of {})", file_, why, op_at_, bytes_.size());
  }

  std::string_view take(uint64_t count) {
    if (count > bytes_.size() - at_) stop("is truncated");
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }

  uint64_t take_unsigned(int width) {  // little-endian
    uint64_t value = 0;
    std::memcpy(&value, take(static_cast<uint64_t>(width)).data(), static_cast<size_t>(width));
    return value;
  }

  std::string_view take_line() {
    const size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) stop("is truncated");
    const std::string_view line = take(end - at_);
    take(1);
    return line;
  }

  template <class T>
  T parse(std::string_view text) const {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      stop(fmt::format("has a malformed number '{}'", text));
    return value;
  }

  // Two's complement of any width.
  PickleValue long_integer(std::string_view digits) const {
    const bool negative = !digits.empty() && static_cast<signed char>(digits.back()) < 0;
    if (digits.size() <= 8) {
      uint64_t value = negative ? ~uint64_t{0} : 0;
      std::memcpy(&value, digits.data(), digits.size());
      return {static_cast<int64_t>(value)};
    }
    double value = 0;
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit)
      value = value * 256 + static_cast<unsigned char>(*digit);
    return {negative ? value - std::ldexp(1.0, static_cast<int>(std::min<size_t>(digits.size(), 1000) * 8)) : value};
  }

  void push(PickleValue value) { stack_.push_back(std::move(value)); }
  void push_container(PickleValue value) {
    if (container_of(value)) containers_.add(value);
    push(std::move(value));
  }
  void push_text(std::string_view text) { push({std::string(text)}); }

  PickleValue pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) stop("takes a value from an empty stack");
    PickleValue value = std::move(stack_.back());
    stack_.pop_back();
    return value;
  }

  PickleValue& top() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) stop("looks at an empty stack");
    return stack_.back();
  }

  PickleList pop_to_mark() {
    if (marks_.empty()) stop("has no mark to go back to");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    PickleList values(std::make_move_iterator(first), std::make_move_iterator(stack_.end()));
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return values;
  }

  void push_tuple(size_t size) {
    PickleList values(size);
    for (size_t i = size; i-- > 0;) values[i] = pop();
    push_container({std::make_shared<PickleList>(std::move(values))});
  }

  // A few bytes of pickle can ask again and again for a copy of something large: the sum is limited.
  void charge(size_t bytes) {
    if (bytes > copy_budget_) stop("repeats its values beyond all proportion");
    copy_budget_ -= bytes;
  }

  void charge(const PickleValue& value) {
    if (const auto* text = std::get_if<std::string>(&value.value)) charge(text->size());
  }

  void charge_items(const PickleValue& value) {
    if (!value.is_list()) return;
    charge(value.list("").size() * sizeof(PickleValue));
    for (const auto& item : value.list("")) charge(item);
  }

  const PickleValue& copy(const PickleValue& value) {
    charge(value);
    return value;
  }

  void put(uint64_t slot) {
    memo_[slot] = copy(top());
    if (const void* container = container_of(top())) slot_of_[container] = slot;
  }

  void get(uint64_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) stop(fmt::format("refers to the unknown memo entry {}", slot));
    push(copy(found->second));
  }

  void append(PickleList values) {
    const auto* list = std::get_if<ListPtr>(&top().value);
    if (!list) stop("appends to something that is not a list");
    (*list)->insert((*list)->end(), std::make_move_iterator(values.begin()), std::make_move_iterator(values.end()));
  }

  void set_items(PickleList values) {
    const auto* dict = std::get_if<DictPtr>(&top().value);
    if (!dict || values.size() % 2 != 0) stop("sets the items of something that is not a dict");
    fill(**dict, values);
  }

  static void fill(PickleDict& dict, PickleList& values) {
    for (size_t i = 0; i + 1 < values.size(); i += 2) dict.emplace_back(std::move(values[i]), std::move(values[i + 1]));
  }

  void push_dict(PickleList values) {
    if (values.size() % 2 != 0) stop("makes a dict of an odd number of values");
    auto dict = std::make_shared<PickleDict>();
    fill(*dict, values);
    push_container({dict});
  }

  void push_global(std::string_view module, std::string_view name) {
    PickleGlobal global{std::string(module), std::string(name)};
    if (!is_builtin(global) && !(hooks_.allowed && hooks_.allowed(global)))
      fail(
          "{}: the pickle refers to {}, which is not among the few names that are safe and known to be data; nothing "
          "in it was run. If you trust the file, load it in Python and save its plain state_dict.",
          file_, global.full());
    push({std::move(global)});
  }

  static bool is_builtin(const PickleGlobal& global) {
    const std::string& name = global.name;
    if (global.module == "collections") return name == "OrderedDict";
    if (global.module == "_codecs") return name == "encode";
    return (global.module == "builtins" || global.module == "__builtin__") &&
           (name == "set" || name == "frozenset" || name == "list" || name == "tuple" || name == "dict" ||
            name == "bytes" || name == "bytearray");
  }

  PickleValue call_builtin(const PickleGlobal& global, const PickleList& args) {
    const std::string& name = global.name;
    if (name == "encode" || ((name == "bytes" || name == "bytearray") && args.size() == 2))
      return {encode_text(args.at(0).text("a text to encode"), args.at(1).text("a text encoding"))};
    if (name == "bytes" || name == "bytearray") return args.empty() ? PickleValue{std::string()} : args[0];
    if (name == "OrderedDict" || name == "dict") {
      auto dict = std::make_shared<PickleDict>();
      if (!args.empty())
        for (const auto& pair : args[0].list("the items of a dict")) {
          charge_items(pair);
          const auto& entry = pair.list("an item of a dict");
          dict->emplace_back(entry.at(0), entry.at(1));
        }
      return {dict};
    }
    auto list = std::make_shared<PickleList>();
    if (!args.empty()) {
      charge_items(args[0]);
      *list = args[0].list("the items of a list");
    }
    return {list};
  }

  // An error in a hook gets the file's name in front.
  template <class F>
  PickleValue ask(F&& hook) {
    try {
      return hook();
    } catch (const Error& error) {
      fail("{}: {}", file_, error.what());
    } catch (const std::out_of_range&) {
      stop("calls a function with too few arguments");
    }
  }

  void call(const PickleValue& function, const PickleValue& args) {
    const auto* global = std::get_if<PickleGlobal>(&function.value);
    if (!global) stop("calls something that is not a global name");
    const PickleList& list = args.list(fmt::format("{}: the arguments of {}", file_, global->full()));
    charge_items(args);
    push_container(ask([&] { return is_builtin(*global) ? call_builtin(*global, list) : hooks_.call(*global, list); }));
  }

  void build() {
    const PickleValue state = pop();
    PickleValue& object = top();
    if (!hooks_.build && object.is_dict()) return;
    if (!hooks_.build) stop("sets the attributes of an object");
    const void* before = container_of(object);
    if (!before) stop("sets the attributes of something that cannot have any");
    charge_items(state);
    PickleValue built = ask([&] { return hooks_.build(object, state); });
    if (container_of(built) == before) return;
    // The object was memoized before it was built: later references must see what it became.
    if (const auto slot = slot_of_.find(before); slot != slot_of_.end()) memo_[slot->second] = built;
    pop();
    push_container(std::move(built));
  }

  void push_persistent(const PickleValue& id) {
    if (!hooks_.persistent) stop("refers to data outside of it");
    push_container(ask([&] { return hooks_.persistent(id); }));
  }

  void step(unsigned char op);

  std::string_view bytes_;
  const std::string& file_;
  const PickleHooks& hooks_;
  size_t at_ = 0, op_at_ = 0, copy_budget_;
  PickleList stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleValue> memo_;
  std::unordered_map<const void*, uint64_t> slot_of_;  // the memo entry of a list or dict
  PickleContainers containers_;
};

void Machine::step(unsigned char op) {
  const auto text = [&](int width) { push_text(take(take_unsigned(width))); };
  switch (op) {
    case 0x80:  // PROTO
      if (const uint64_t protocol = take_unsigned(1); protocol > 5) stop(fmt::format("has protocol {}", protocol));
      return;
    case 0x95:
      take(8);
      return;  // FRAME

    case 'N':
      return push({});
    case 0x88:
      return push({true});
    case 0x89:
      return push({false});
    case 'K':
      return push({static_cast<int64_t>(take_unsigned(1))});
    case 'M':
      return push({static_cast<int64_t>(take_unsigned(2))});
    case 'J':
      return push(long_integer(take(4)));
    case 0x8a:
      return push(long_integer(take(take_unsigned(1))));
    case 0x8b:
      return push(long_integer(take(take_unsigned(4))));
    case 'G': {  // BINFLOAT, big-endian
      uint64_t bits = 0;
      for (const char byte : take(8)) bits = bits << 8 | static_cast<unsigned char>(byte);
      return push({std::bit_cast<double>(bits)});
    }
    case 'F':
      return push({parse<double>(take_line())});
    case 'I': {  // INT, or a bool written as 00 or 01
      const std::string_view line = take_line();
      if (line == "00" || line == "01") return push({line == "01"});
      return push({parse<int64_t>(line)});
    }
    case 'L': {
      std::string_view line = take_line();
      if (!line.empty() && line.back() == 'L') line.remove_suffix(1);
      return push({parse<int64_t>(line)});
    }

    case 'U':
    case 'C':
    case 0x8c:
      return text(1);  // short str, bytes, unicode
    case 'T':
    case 'B':
    case 'X':
      return text(4);  // str, bytes, unicode
    case 0x8d:
    case 0x8e:
    case 0x96:
      return text(8);  // unicode, bytes, bytearray
    case 'S':
      return push(ask([&] { return PickleValue{unquote_bytes(take_line())}; }));
    case 'V':
      return push(ask([&] { return PickleValue{decode_raw_unicode_escape(take_line())}; }));

    case '(':
      return marks_.push_back(stack_.size());
    case '0':
      pop();
      return;
    case '1':
      pop_to_mark();
      return;
    case '2':
      return push(copy(top()));
    case ')':
      return push_tuple(0);
    case 0x85:
      return push_tuple(1);
    case 0x86:
      return push_tuple(2);
    case 0x87:
      return push_tuple(3);
    case 't':
    case 'l':
    case 0x91:  // TUPLE, LIST, FROZENSET
      return push_container({std::make_shared<PickleList>(pop_to_mark())});
    case ']':
    case 0x8f:
      return push_container({std::make_shared<PickleList>()});
    case '}':
      return push_container({std::make_shared<PickleDict>()});
    case 'd':
      return push_dict(pop_to_mark());
    case 'a':
      return append(PickleList(1, pop()));
    case 'e':
    case 0x90:
      return append(pop_to_mark());
    case 's': {
      PickleList entry(2);
      entry[1] = pop();
      entry[0] = pop();
      return set_items(std::move(entry));
    }
    case 'u':
      return set_items(pop_to_mark());

    case 'p':
      return put(parse<uint64_t>(take_line()));
    case 'q':
      return put(take_unsigned(1));
    case 'r':
      return put(take_unsigned(4));
    case 0x94:
      return put(memo_.size());
    case 'g':
      return get(parse<uint64_t>(take_line()));
    case 'h':
      return get(take_unsigned(1));
    case 'j':
      return get(take_unsigned(4));

    case 'c': {
      const std::string_view module = take_line();
      return push_global(module, take_line());
    }
    case 0x93: {
      const PickleValue name = pop(), module = pop();
      return push_global(module.text(file_ + ": a module's name"), name.text(file_ + ": a global's name"));
    }
    case 'R':
    case 0x81: {  // REDUCE, NEWOBJ
      const PickleValue args = pop(), function = pop();
      return call(function, args);
    }
    case 0x92: {  // NEWOBJ_EX
      const PickleValue keywords = pop(), args = pop(), type = pop();
      if (!keywords.is_dict() || !keywords.dict("").empty()) stop("makes an object with keyword arguments");
      return call(type, args);
    }
    case 'b':
      return build();
    case 'P':
      return push_persistent({std::string(take_line())});
    case 'Q':
      return push_persistent(pop());
    default:
      stop(fmt::format("uses the opcode 0x{:02x}, which data files do not need", op));
  }
}

}  // namespace

PickleValue read_pickle(std::string_view bytes, const std::string& file, const PickleHooks& hooks, size_t* consumed) {
  Machine machine(bytes, file, hooks);
  PickleValue value = machine.run();
  if (consumed) *consumed = machine.consumed();
  return value;
}

}  // namespace uvic
