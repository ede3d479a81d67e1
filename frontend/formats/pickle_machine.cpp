// frontend/formats/pickle_machine.cpp
#include "frontend/formats/pickle_machine.h"

#include "ir/error.h"

#include <cstring>

namespace weft::formats {

using ir::concat;

PickleMachine::PickleMachine(std::string_view bytes, std::string where)
    : bytes_(bytes), where_(std::move(where)) {}

void PickleMachine::run() {
  while (!done_) step();
}

void PickleMachine::fail(const std::string& why) const {
  throw ir::GraphError(concat(where_, ": ", why));
}

// --- bytes

std::string_view PickleMachine::take(uint64_t count) {
  if (count > bytes_.size() - at_) fail(concat("is cut off at byte ", bytes_.size()));
  const std::string_view taken = bytes_.substr(at_, count);
  at_ += count;
  return taken;
}

uint64_t PickleMachine::number(size_t count) {
  const std::string_view bytes = take(count);
  uint64_t n = 0;
  for (size_t i = count; i-- > 0;) n = n << 8 | static_cast<unsigned char>(bytes[i]);
  return n;
}

std::string_view PickleMachine::line() {
  const size_t end = bytes_.find('\n', at_);
  if (end == bytes_.npos) fail(concat("is cut off at byte ", bytes_.size()));
  const std::string_view text = take(end - at_);
  ++at_;
  return text;
}

// --- the stack

PickleMachine::Value PickleMachine::pop() {
  const size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) fail(concat("takes a value that is not there at byte ", opcode_at_));
  const Value v = stack_.back();
  stack_.pop_back();
  return v;
}

std::vector<PickleMachine::Value> PickleMachine::pop_to_mark() {
  if (marks_.empty()) fail(concat("takes a mark that is not there at byte ", opcode_at_));
  const auto from = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
  std::vector<Value> values(from, stack_.end());
  stack_.erase(from, stack_.end());
  marks_.pop_back();
  return values;
}

PickleMachine::Value PickleMachine::kept(Kind kind, std::vector<Value> values) {
  lists_.push_back(std::move(values));
  return {kind, std::ssize(lists_) - 1};
}

PickleMachine::Value PickleMachine::kept(std::string_view text) {
  texts_.emplace_back(text);
  return {Kind::text, std::ssize(texts_) - 1};
}

// The list or dictionary on top of the stack.
std::vector<PickleMachine::Value>& PickleMachine::top(Kind kind) {
  const size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor || stack_.back().kind != kind)
    fail(concat("adds to what is no ", kind == Kind::list ? "list" : "dictionary", " at byte ",
                opcode_at_));
  return lists_[static_cast<size_t>(stack_.back().n)];
}

void PickleMachine::append(const std::vector<Value>& values) {
  std::vector<Value>& list = top(Kind::list);
  list.insert(list.end(), values.begin(), values.end());
}

void PickleMachine::add_pairs(const std::vector<Value>& values) {
  if (values.size() % 2 != 0) fail(concat("has a key without a value at byte ", opcode_at_));
  std::vector<Value>& dict = top(Kind::dict);
  dict.insert(dict.end(), values.begin(), values.end());
}

void PickleMachine::memorize(uint64_t place) {
  const Value v = pop();
  push(v);
  memo_[place] = v;
}

void PickleMachine::recall(uint64_t place) {
  const auto at = memo_.find(place);
  if (at == memo_.end()) fail(concat("recalls what it did not keep at byte ", opcode_at_));
  push(at->second);
}

// --- opcodes

void PickleMachine::step() {
  opcode_at_ = at_;
  const auto op = static_cast<unsigned char>(take(1)[0]);
  if (!framing(op) && !number_or_text(op) && !memo(op) && !collection(op)) calling(op);
}

// The letters are those of Python's pickletools.
bool PickleMachine::framing(unsigned char op) {
  if (op == 0x80) {  // PROTO
    const uint64_t version = number(1);
    if (version > 5) fail(concat("is of protocol ", version, "; up to 5 are known"));
    return true;
  }
  if (op == 0x95) return number(8), true;  // FRAME
  if (op != '.') return false;             // STOP
  result_ = pop();
  return done_ = true;
}

bool PickleMachine::number_or_text(unsigned char op) {
  const auto push_integer = [&](int64_t n) { return push({Kind::integer, n}), true; };
  const auto push_text = [&](size_t width) { return push(kept(take(number(width)))), true; };
  switch (op) {
    case 'N':  // NONE
      return push({}), true;
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      return push({Kind::boolean, op == 0x88}), true;
    case 'J':  // BININT
      return push_integer(static_cast<int32_t>(number(4)));
    case 'K':  // BININT1
      return push_integer(static_cast<int64_t>(number(1)));
    case 'M':  // BININT2
      return push_integer(static_cast<int64_t>(number(2)));
    case 0x8A:  // LONG1
    case 0x8B:  // LONG4
      return long_integer(take(number(op == 0x8A ? 1 : 4))), true;
    case 'G':  // BINFLOAT, which tensors do not need
      return take(8), push({Kind::real, 0}), true;
    case 'U':   // SHORT_BINSTRING
    case 0x8C:  // SHORT_BINUNICODE
      return push_text(1);
    case 'T':  // BINSTRING
    case 'X':  // BINUNICODE
      return push_text(4);
    case 0x8D:  // BINUNICODE8
      return push_text(8);
    default:
      return false;
  }
}

bool PickleMachine::memo(unsigned char op) {
  switch (op) {
    case 'q':  // BINPUT
    case 'r':  // LONG_BINPUT
      return memorize(number(op == 'q' ? 1 : 4)), true;
    case 0x94:  // MEMOIZE
      return memorize(memo_.size()), true;
    case 'h':  // BINGET
    case 'j':  // LONG_BINGET
      return recall(number(op == 'h' ? 1 : 4)), true;
    default:
      return false;
  }
}

bool PickleMachine::collection(unsigned char op) {
  switch (op) {
    case '(':  // MARK
      return marks_.push_back(stack_.size()), true;
    case ')':  // EMPTY_TUPLE
      return push(kept(Kind::tuple, {})), true;
    case ']':  // EMPTY_LIST
      return push(kept(Kind::list, {})), true;
    case '}':  // EMPTY_DICT
      return push(kept(Kind::dict, {})), true;
    case 0x85:  // TUPLE1
    case 0x86:  // TUPLE2
    case 0x87:  // TUPLE3
      return tuple(op - 0x84U), true;
    case 't':  // TUPLE
      return push(kept(Kind::tuple, pop_to_mark())), true;
    case 'l':  // LIST
      return push(kept(Kind::list, pop_to_mark())), true;
    case 'a':  // APPEND
      return append({pop()}), true;
    case 'e':  // APPENDS
      return append(pop_to_mark()), true;
    case 's': {  // SETITEM
      const Value value = pop(), key = pop();
      return add_pairs({key, value}), true;
    }
    case 'u':  // SETITEMS
      return add_pairs(pop_to_mark()), true;
    default:
      return false;
  }
}

void PickleMachine::calling(unsigned char op) {
  switch (op) {
    case 'c': {  // GLOBAL
      const std::string_view module = line(), name = line();
      return push(global(module, name));
    }
    case 0x93: {  // STACK_GLOBAL
      const Value name = pop(), module = pop();
      if (name.kind != Kind::text || module.kind != Kind::text)
        fail(concat("asks for something without a name at byte ", opcode_at_));
      return push(global(text(module), text(name)));
    }
    case 'R': {  // REDUCE
      const Value given = pop(), called = pop();
      return push(call(called, given));
    }
    case 'b':
      return build();  // BUILD
    case 'Q':
      return push(persistent(pop()));  // BINPERSID
    default:
      break;
  }
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  fail(concat("has the opcode 0x", std::string{kDigits[op >> 4], kDigits[op & 15]}, " at byte ",
              opcode_at_, ", which files of tensors do not need and this reader does not follow"));
}

void PickleMachine::long_integer(std::string_view bytes) {
  if (bytes.size() <= 8) {
    int64_t n = 0;
    if (!bytes.empty() && (bytes.back() & 0x80) != 0) n = -1;
    std::memcpy(&n, bytes.data(), bytes.size());
    return push({Kind::integer, n});
  }
  push({Kind::wide, kept(bytes).n});
}

void PickleMachine::tuple(size_t count) {
  std::vector<Value> values(count);
  while (count > 0) values[--count] = pop();
  push(kept(Kind::tuple, std::move(values)));
}

// What is set beside a dictionary's entries (PyTorch's versions of modules) is not needed.
void PickleMachine::build() {
  const Value state = pop();
  (void)top(Kind::dict);
  if (state.kind != Kind::dict && state.kind != Kind::tuple)
    fail(concat("sets what is no dictionary at byte ", opcode_at_));
}

}  // namespace weft::formats
