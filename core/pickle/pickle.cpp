#include "core/pickle/pickle.h"

#include <bit>

#include "core/pickle/pickle_machine.h"
#include "core/pickle/pickle_text.h"

namespace uvic {

void PickleMachine::step(unsigned char op) {
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
      return push(written_integer(line));
    }
    case 'L': {
      std::string_view line = take_line();
      if (!line.empty() && line.back() == 'L') line.remove_suffix(1);
      return push(written_integer(line));
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

PickleValue read_pickle(std::string_view bytes, const std::string& file, const PickleHooks& hooks, size_t* consumed) {
  PickleMachine machine(bytes, file, hooks);
  PickleValue value = machine.run();
  if (consumed) *consumed = machine.consumed();
  return value;
}

}  // namespace uvic
