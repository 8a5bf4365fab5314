#include "core/pickle/pickle_machine.h"

#include "core/pickle/pickle_text.h"

namespace uvic {
namespace {

constexpr size_t kMaxObjects = 5'000'000;

void fill(PickleDict& dict, PickleList& values) {
  for (size_t i = 0; i + 1 < values.size(); i += 2) dict.emplace_back(std::move(values[i]), std::move(values[i + 1]));
}

bool is_builtin(const PickleGlobal& global) {
  const std::string& name = global.name;
  if (global.module == "collections") return name == "OrderedDict";
  if (global.module == "_codecs") return name == "encode";
  return (global.module == "builtins" || global.module == "__builtin__") &&
         (name == "set" || name == "frozenset" || name == "list" || name == "tuple" || name == "dict" ||
          name == "bytes" || name == "bytearray");
}

}  // namespace

PickleValue PickleMachine::run() {
  while (true) {
    op_at_ = at_;
    const auto op = static_cast<unsigned char>(take(1)[0]);
    if (op == '.') break;
    step(op);
    // Each opcode makes one value at most; what went into lists is no longer on the stack.
    if (++steps_ > kMaxObjects || stack_.size() + marks_.size() + memo_.size() + containers_.size() > kMaxObjects)
      stop("holds more objects than any data file");
  }
  PickleValue result = pop();
  containers_.release(file_);
  return result;
}

void PickleMachine::append(PickleList values) {
  const auto* list = std::get_if<std::shared_ptr<PickleList>>(&top().value);
  if (!list) stop("appends to something that is not a list");
  (*list)->insert((*list)->end(), std::make_move_iterator(values.begin()), std::make_move_iterator(values.end()));
}

void PickleMachine::set_items(PickleList values) {
  const auto* dict = std::get_if<std::shared_ptr<PickleDict>>(&top().value);
  if (!dict || values.size() % 2 != 0) stop("sets the items of something that is not a dict");
  fill(**dict, values);
}

void PickleMachine::push_dict(PickleList values) {
  if (values.size() % 2 != 0) stop("makes a dict of an odd number of values");
  auto dict = std::make_shared<PickleDict>();
  fill(*dict, values);
  push_container({dict});
}

void PickleMachine::push_global(std::string_view module, std::string_view name) {
  PickleGlobal global{std::string(module), std::string(name)};
  if (!is_builtin(global) && !(hooks_.allowed && hooks_.allowed(global)))
    fail(
        "{}: the pickle refers to {}, which is not among the few names that are safe and known to be data; nothing "
        "in it was run. If you trust the file, load it in Python and save its plain state_dict.",
        file_, global.full());
  push({std::move(global)});
}

PickleValue PickleMachine::call_builtin(const PickleGlobal& global, const PickleList& args) {
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

void PickleMachine::call(const PickleValue& function, const PickleValue& args) {
  const auto* global = std::get_if<PickleGlobal>(&function.value);
  if (!global) stop("calls something that is not a global name");
  const PickleList& list = args.list(fmt::format("{}: the arguments of {}", file_, global->full()));
  charge_items(args);
  push_container(ask([&] { return is_builtin(*global) ? call_builtin(*global, list) : hooks_.call(*global, list); }));
}

void PickleMachine::build() {
  const PickleValue state = pop();
  PickleValue& object = top();
  if (!hooks_.build && object.is_dict()) return;
  if (!hooks_.build) stop("sets the attributes of an object");
  const void* before = container_of(object);
  charge_items(state);
  PickleValue built = ask([&] { return hooks_.build(object, state); });
  if (container_of(built) == before) return;
  // The object was memoized before it was built: later references must see what it became.
  if (const auto slot = slot_of_.find(before); slot != slot_of_.end()) memo_[slot->second] = built;
  pop();
  push_container(std::move(built));
}

void PickleMachine::push_persistent(const PickleValue& id) {
  if (!hooks_.persistent) stop("refers to data outside of it");
  push_container(ask([&] { return hooks_.persistent(id); }));
}

PickleValue PickleMachine::long_integer(std::string_view digits) const {
  const bool negative = !digits.empty() && static_cast<signed char>(digits.back()) < 0;
  if (digits.size() <= 8) {
    uint64_t value = negative ? ~uint64_t{0} : 0;
    std::memcpy(&value, digits.data(), digits.size());
    return {static_cast<int64_t>(value)};
  }
  double value = 0;  // of the complement, if negative
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit)
    value = value * 256 + (static_cast<unsigned char>(*digit) ^ (negative ? 0xFF : 0));
  return {negative ? -value - 1 : value};
}

PickleValue PickleMachine::written_integer(std::string_view digits) const {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range) return {parse<double>(digits)};
  return {parse<int64_t>(digits)};
}

}  // namespace uvic
