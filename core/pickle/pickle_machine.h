// The stack machine behind read_pickle. Python's pickletools documents what each opcode does to the stack and the memo.
#pragma once

#include <charconv>
#include <cstring>
#include <unordered_map>

#include "core/error.h"
#include "core/pickle/pickle.h"
#include "core/pickle/pickle_containers.h"

namespace uvic {

class PickleMachine {
 public:
  PickleMachine(std::string_view bytes, const std::string& file, const PickleHooks& hooks)
      : bytes_(bytes), file_(file), hooks_(hooks), copy_budget_((128u << 20) + 16 * bytes.size()) {}

  PickleValue run();
  size_t consumed() const { return at_; }

 private:
  void step(unsigned char op);  // pickle.cpp; everything else that is not here: pickle_machine.cpp
  void append(PickleList values);
  void set_items(PickleList values);
  void push_dict(PickleList values);
  void push_global(std::string_view module, std::string_view name);
  void push_persistent(const PickleValue& id);
  PickleValue call_builtin(const PickleGlobal& global, const PickleList& args);
  void call(const PickleValue& function, const PickleValue& args);
  void build();
  PickleValue long_integer(std::string_view digits) const;  // two's complement of any width
  PickleValue written_integer(std::string_view digits) const;

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

  std::string_view bytes_;
  const std::string& file_;
  const PickleHooks& hooks_;
  size_t at_ = 0, op_at_ = 0, steps_ = 0, copy_budget_;
  PickleList stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleValue> memo_;
  std::unordered_map<const void*, uint64_t> slot_of_;  // the memo entry of a list or dict
  PickleContainers containers_;
};

}  // namespace uvic
