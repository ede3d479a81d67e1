// ir/text/parse.cpp -- reading graphs from text.
#include "ir/check.h"
#include "ir/ops/table.h"
#include "ir/rewrite/builder.h"
#include "ir/text/text.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <map>

namespace weft::ir {
namespace {

constexpr int kMaxDepth = 64;           // of nested regions
constexpr size_t kMaxText = 256 << 20;  // bytes

bool is_name_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  Graph file() {
    if (text_.size() > kMaxText) fail("has more than 256 MiB");
    Graph g = graph();
    skip();
    if (at_ != text_.size())
      fail(concat("expected the end of the file, found '", peek_text(), "'"));
    return g;
  }

 private:
  using Names = std::map<std::string, Value, std::less<>>;

  // ---- characters
  [[noreturn]] void fail(const std::string& message) const {
    throw GraphError(concat(file_, ":", line_, ": error: ", message));
  }
  void advance() {
    if (text_[at_] == '\n') ++line_;
    ++at_;
  }
  bool at_comment() const { return text_.substr(at_, 2) == "//"; }
  // Over white space and comments; the one on the line of the last token is kept for the node
  // there.
  void skip() {
    const int line = line_;
    while (at_ < text_.size()) {
      if (std::isspace(static_cast<unsigned char>(text_[at_]))) {
        advance();
      } else if (at_comment()) {
        const size_t start = at_ + 2;
        while (at_ < text_.size() && text_[at_] != '\n') advance();
        if (line_ == line) trailing_ = text_.substr(start, at_ - start);
      } else {
        break;
      }
    }
  }
  char peek() {
    skip();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  std::string peek_text() {
    skip();
    const std::string_view rest = text_.substr(at_, 16);
    return at_ >= text_.size() ? "end of file" : std::string(rest.substr(0, rest.find('\n')));
  }
  bool take(std::string_view s) {
    skip();
    if (text_.substr(at_, s.size()) != s) return false;
    at_ += s.size();
    return true;
  }
  void expect(std::string_view s) {
    if (!take(s)) fail(concat("expected '", s, "', found '", peek_text(), "'"));
  }
  bool take_word(std::string_view word) {
    skip();
    if (text_.substr(at_, word.size()) != word) return false;
    if (at_ + word.size() < text_.size() && is_name_char(text_[at_ + word.size()])) return false;
    at_ += word.size();
    return true;
  }
  std::string word(std::string_view what) {
    skip();
    const size_t start = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    if (at_ == start) fail(concat("expected ", what, ", found '", peek_text(), "'"));
    return std::string(text_.substr(start, at_ - start));
  }
  std::string value_name() {
    expect("%");
    return word("a value's name");
  }

  // ---- literals and types
  std::string quoted() {
    expect("\"");
    std::string s;
    for (;; ++at_) {
      if (at_ >= text_.size() || text_[at_] == '\n')
        fail("a string needs a closing '\"' on its line");
      if (text_[at_] == '"') break;
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        s += text_[at_] == 'n' ? '\n' : text_[at_];
      } else {
        s += text_[at_];
      }
    }
    ++at_;
    return s;
  }
  bool at_number() {
    const char c = peek();
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '-' || c == '+') return true;
    const std::string_view rest = text_.substr(at_, 3);
    return (rest == "inf" || rest == "nan") &&
           (at_ + 3 >= text_.size() || !is_name_char(text_[at_ + 3]));
  }
  double real() {
    skip();
    const bool minus = take("-");
    if (!minus) take("+");
    if (take_word("inf")) return minus ? -HUGE_VAL : HUGE_VAL;
    if (take_word("nan")) return std::nan("");
    double d = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), d);
    if (error != std::errc()) fail(concat("expected a number, found '", peek_text(), "'"));
    at_ = static_cast<size_t>(end - text_.data());
    return minus ? -d : d;
  }
  // A number, and as an integer if it is written as one.
  struct Number {
    double real = 0;
    std::optional<int64_t> integer;
  };
  Number number() {
    skip();
    int64_t n = 0;
    const char *begin = text_.data() + at_ + (text_.substr(at_, 1) == "+" ? 1 : 0),
               *last = text_.data() + text_.size();
    const auto [end, error] = std::from_chars(begin, last, n);
    const double d = real();
    if (error != std::errc() || end != text_.data() + at_) return {d, {}};
    return {d, n};
  }
  int64_t integer() {
    skip();
    int64_t n = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), n);
    if (error != std::errc()) fail(concat("expected a 64-bit integer, found '", peek_text(), "'"));
    at_ = static_cast<size_t>(end - text_.data());
    return n;
  }
  // Up to one of `ends` outside brackets.
  Dim dim(std::string_view ends) {
    skip();
    const size_t start = at_;
    for (int depth = 0; at_ < text_.size() && text_[at_] != '\n'; ++at_) {
      if (depth == 0 && ends.find(text_[at_]) != ends.npos) break;
      if (text_[at_] == '(') ++depth;
      if (text_[at_] == ')') --depth;
    }
    try {
      return Dim::parse(text_.substr(start, at_ - start));
    } catch (const GraphError& e) {
      fail(e.what());
    }
  }
  Shape shape() {
    expect("[");
    Shape s;
    if (take("]")) return s;
    do {
      s.push_back(dim(",]"));
      if (s.size() > 64) fail("a shape may have 64 axes at most");
    } while (take(","));
    expect("]");
    return s;
  }
  DType dtype() {
    const std::string n = word("a dtype");
    const auto d = dtype_named(n);
    if (!d) fail(concat("expected a dtype (f32, s32, pred, ...), found '", n, "'"));
    return *d;
  }
  TensorType type() {
    const DType d = dtype();
    const Shape s = shape();
    for (const Dim& size : s)
      if (const auto c = size.constant(); c && *c < 0)
        fail(concat("a size must be 0 or more, found ", *c));
    return {d, s};
  }

  template <typename F>
  auto list(F item) {
    std::vector<decltype(item())> items;
    expect("[");
    if (take("]")) return items;
    do items.push_back(item());
    while (take(","));
    expect("]");
    return items;
  }

  // Integers that a double does not hold stay integers.
  Attr numbers() {
    const std::vector<Number> all = list([this] { return number(); });
    Reals reals;
    Integers integers;
    bool exact = true;
    for (const Number& n : all) {
      reals.push_back(n.real);
      if (n.integer) integers.push_back(*n.integer);
      exact = exact && (!n.integer || is_double(*n.integer));
    }
    if (exact) return reals;
    if (integers.size() != all.size())
      fail("a list with integers beyond 2^53 may hold nothing but integers");
    return integers;
  }

  Attr attribute(AttrKind kind) {
    switch (kind) {
      case AttrKind::integer:
      case AttrKind::axis:
        return integer();
      case AttrKind::real:
        return real();
      case AttrKind::boolean: {
        if (take_word("true")) return true;
        if (take_word("false")) return false;
        fail(concat("expected true or false, found '", peek_text(), "'"));
      }
      case AttrKind::text:
        return quoted();
      case AttrKind::dtype:
        return dtype();
      case AttrKind::dim:
        return dim(",}");
      case AttrKind::shape:
        return shape();
      case AttrKind::integers:
      case AttrKind::axes:
        return list([this] { return integer(); });
      case AttrKind::reals:
        return numbers();
      case AttrKind::texts:
        return list([this] { return quoted(); });
    }
    return {};
  }

  // What was written before there were bands; read for one release.
  void causal(Attrs& attrs) {
    expect("=");
    if (!std::get<bool>(attribute(AttrKind::boolean))) return;
    if (attrs.find("band") != nullptr) fail("attribute 'band' is given twice, once as causal=true");
    attrs.set("band", Integers{-1, 0});
  }

  // ---- graphs
  Graph graph() {
    if (!take_word("graph")) fail(concat("expected 'graph', found '", peek_text(), "'"));
    Graph g;
    Names names;
    if (take("@")) g.name = word("the graph's name");
    expect("(");
    if (!take(")")) {
      do argument(g, names);
      while (take(","));
      expect(")");
    }
    std::vector<std::pair<std::string, std::optional<TensorType>>> results;
    if (take("->")) results = result_list();
    expect("{");
    const Values values = body(g, names, "return", 0).first;
    if (!results.empty() && results.size() != values.size())
      fail(concat("the header names ", results.size(), " results, 'return' gives ", values.size()));
    for (size_t i = 0; i < values.size(); ++i) {
      std::string n = results.empty() ? std::string() : results[i].first;
      if (!results.empty() && results[i].second && *results[i].second != g.type(values[i]))
        fail(concat("result ", i, " is declared ", *results[i].second, " but is ",
                    g.type(values[i])));
      if (n.empty()) n = name_of(names, values[i]);
      if (n.empty()) n = "r" + std::to_string(i);
      if (g.find_output(n) >= 0) {
        if (!results.empty()) fail(concat("two results are named '", n, "'"));
        n += "_" + std::to_string(i);
      }
      g.add_output(n, values[i]);
    }
    return g;
  }

  static std::string name_of(const Names& names, Value v) {
    for (const auto& [name, value] : names)
      if (value == v) return name;
    return {};
  }

  void argument(Graph& g, Names& names) {
    ArgumentKind kind = ArgumentKind::input;
    if (take_word("input"))
      kind = ArgumentKind::input;
    else if (take_word("parameter"))
      kind = ArgumentKind::parameter;
    else if (take_word("state"))
      kind = ArgumentKind::state;
    const std::string n = value_name();
    expect(":");
    const TensorType t = type();
    std::string path, initializer;
    bool trainable = true, donated = false;
    if (take("{")) {
      do {
        const std::string key = word("an attribute");
        expect("=");
        if (key == "path")
          path = quoted();
        else if (key == "init")
          initializer = quoted();
        else if (key == "trainable")
          trainable = std::get<bool>(attribute(AttrKind::boolean));
        else if (key == "donated")
          donated = std::get<bool>(attribute(AttrKind::boolean));
        else
          fail(concat("an argument has path, init, trainable and donated, found '", key, "'"));
      } while (take(","));
      expect("}");
    }
    if (names.contains(n)) fail(concat("%", n, " is defined twice"));
    if (!path.empty())
      for (const Argument& a : g.arguments())
        if (a.path == path) fail(concat("two arguments have the path \"", path, "\""));
    names[n] = g.add_argument(t, n, kind, path, initializer, trainable);
    g.set_donated(static_cast<int>(g.arguments().size()) - 1, donated);
  }

  // Numbers name nodes that have no other name.
  static std::string given_name(const std::string& n) {
    for (const char c : n)
      if (!std::isdigit(static_cast<unsigned char>(c))) return n;
    return {};
  }

  std::vector<std::pair<std::string, std::optional<TensorType>>> result_list() {
    std::vector<std::pair<std::string, std::optional<TensorType>>> results;
    expect("(");
    if (take(")")) return results;
    do {
      const std::string n = word("a result's name");
      if (peek() == '[') {  // a type alone
        at_ -= n.size();
        results.emplace_back("", type());
      } else {
        std::optional<TensorType> t;
        if (take(":")) t = type();
        results.emplace_back(n, t);
      }
    } while (take(","));
    expect(")");
    return results;
  }

  // Nodes up to `last` ("return" or "yield") and '}'. Gives the returned values and, where a ';'
  // stood among them, how many came before it (else all of them).
  std::pair<Values, size_t> body(Graph& g, Names& names, std::string_view last, int depth) {
    if (depth > kMaxDepth) fail(concat("regions are nested more than ", kMaxDepth, " deep"));
    while (!take_word(last)) {
      if (peek() != '%') {
        if (at_ >= text_.size()) fail(concat("expected '", last, "' before the end of the file"));
        fail(concat("expected a node or '", last, "', found '", peek_text(), "'"));
      }
      node(g, names, depth);
    }
    Values values;
    std::optional<size_t> split;
    while (peek() == '%' || peek() == ';') {
      if (take(";")) {
        split = values.size();
      } else {
        values.push_back(lookup(names, value_name()));
        take(",");
      }
    }
    expect("}");
    return {values, split.value_or(values.size())};
  }

  Value lookup(const Names& names, const std::string& n) const {
    const auto it = names.find(n);
    if (it == names.end()) fail(concat("%", n, " is not defined here"));
    return it->second;
  }

  struct Operand {
    Value value;  // invalid: a literal
    Number literal;
  };

  std::vector<std::vector<Operand>> operand_groups(const Names& names, const OpDef& op) {
    std::vector<std::vector<Operand>> segments(1);
    expect("(");
    while (!take(")")) {
      if (take(";")) {
        segments.emplace_back();
        continue;
      }
      if (peek() == '%')
        segments.back().push_back({lookup(names, value_name()), {}});
      else if (at_number())
        segments.back().push_back({{}, number()});
      else
        fail(concat("expected an operand, found '", peek_text(), "'"));
      take(",");
    }
    // Adjacent `one` operands share a segment; every optional or variadic one has its own.
    std::vector<std::vector<Operand>> groups(op.operands.size());
    size_t segment = 0, in_segment = 0;
    for (size_t i = 0; i < op.operands.size(); ++i) {
      const bool one = op.operands[i].arity == Arity::one;
      const bool starts = i > 0 && !(one && op.operands[i - 1].arity == Arity::one);
      if (starts) {
        check_used(op, segments, segment, in_segment);
        ++segment;
        in_segment = 0;
      }
      if (segment >= segments.size()) continue;
      if (one) {
        if (in_segment < segments[segment].size()) groups[i] = {segments[segment][in_segment++]};
      } else {
        groups[i] = segments[segment];
        in_segment = segments[segment].size();
      }
    }
    check_used(op, segments, segment, in_segment);
    for (size_t s = segment + 1; s < segments.size(); ++s) check_used(op, segments, s, 0);
    return groups;
  }

  void check_used(const OpDef& op, const std::vector<std::vector<Operand>>& segments,
                  size_t segment, size_t used) const {
    if (segment < segments.size() && used < segments[segment].size())
      fail(concat("'", op.name, "' takes fewer operands than the ", segments[segment].size(),
                  " of group ", segment));
  }

  // Literals take the dtype of the first operand that is none (a select's condition aside).
  OperandGroups resolve(Builder& b, const OpDef& op,
                        const std::vector<std::vector<Operand>>& groups) {
    std::optional<DType> dtype;
    bool literals = false;
    for (size_t i = 0; i < groups.size(); ++i)
      for (const Operand& o : groups[i]) {
        literals |= !o.value.valid();
        if (o.value.valid() && !dtype && !(&op == &ops::select && i == 0))
          dtype = b.type(o.value).dtype;
      }
    OperandGroups resolved;
    for (const auto& group : groups) {
      resolved.emplace_back();
      for (const Operand& o : group)
        resolved.back().push_back(
            o.value.valid() ? o.value : literal(b, o.literal, dtype.value_or(DType::f32)));
    }
    if (literals && !op.elementwise)
      fail(concat("'", op.name, "' takes no literal operands; use constant()"));
    return resolved;
  }

  static Value literal(Builder& b, const Number& n, DType dtype) {
    return n.integer && !is_float(dtype) ? b.integer(*n.integer, dtype) : b.scalar(n.real, dtype);
  }

  void node(Graph& g, Names& names, int depth) {
    std::vector<std::string> results;
    do results.push_back(value_name());
    while (take(","));
    expect("=");
    const int line = line_;
    trailing_ = {};
    const std::string op_name = word("an op's name");
    const OpDef* op = ops::find(op_name);
    if (op == nullptr)
      fail(concat("there is no op '", op_name, "'; did you mean '", ops::closest_name(op_name),
                  "'?"));
    const auto groups = operand_groups(names, *op);
    Attrs attrs;
    if (take("{")) {
      do {
        const std::string key = word("an attribute");
        if (key == "causal" && op->attr("band") != nullptr) {
          causal(attrs);
          continue;
        }
        const AttrDef* def = op->attr(key);
        if (def == nullptr) fail(concat("'", op_name, "' has no attribute '", key, "'"));
        if (attrs.find(key) != nullptr) fail(concat("attribute '", key, "' is given twice"));
        expect("=");
        attrs.set(key, attribute(def->kind));
      } while (take(","));
      expect("}");
    }
    round_floats(*op, attrs);
    Types declared;
    if (take(":")) {
      do declared.push_back(type());
      while (take(","));
    }
    Builder b(g, {{}, {file_, line}});
    comment(b.from);
    const OperandGroups resolved = resolve(b, *op, groups);
    std::vector<Graph> regions;
    for (int r = 0; r < op->regions; ++r)
      regions.push_back(region(g, b, *op, resolved, attrs, regions, depth));
    const Values made = b.emit_all(*op, resolved, attrs, std::move(regions));
    if (made.size() != results.size())
      fail(concat("'", op_name, "' has ", made.size(), " results, ", results.size(), " are named"));
    if (!declared.empty() && declared.size() != made.size())
      fail(concat("'", op_name, "' has ", made.size(), " results, ", declared.size(),
                  " types are given"));
    for (size_t i = 0; i < made.size(); ++i) {
      if (!declared.empty() && declared[i] != g.type(made[i]))
        throw GraphError(concat(file_, ":", line, ": error: '", op_name, "' is typed ", declared[i],
                                " but infers ", g.type(made[i]), " [parse.1]"));
      if (names.contains(results[i]))
        throw GraphError(concat(file_, ":", line, ": error: %", results[i], " is defined twice"));
      names[results[i]] = made[i];
      g.set_name(made[i], given_name(results[i]));
    }
  }

  // A constant of floats holds integers as near as it can.
  static void round_floats(const OpDef& op, Attrs& attrs) {
    const Attr *values = attrs.find("values"), *dtype = attrs.find("dtype");
    if (&op != &ops::constant || values == nullptr) return;
    const Integers* integers = std::get_if<Integers>(values);
    if (integers != nullptr && (dtype == nullptr || is_float(std::get<DType>(*dtype))))
      attrs.set("values", Reals(integers->begin(), integers->end()));
  }

  // "// scope [backward] @ loc" behind a node on its line.
  void comment(Provenance& from) {
    skip();
    std::string s(trailing_);
    trailing_ = {};
    if (const size_t loc = s.find("@ "); loc != s.npos) s.resize(loc);
    for (const auto& [mark, part] :
         {std::pair{"[backward]", Part::backward}, {"[optimizer]", Part::optimizer}})
      if (const size_t p = s.find(mark); p != s.npos) {
        from.part = part;
        s.resize(p);
      }
    while (!s.empty() && std::isspace(static_cast<unsigned char>(s.back()))) s.pop_back();
    const size_t start = s.find_first_not_of(" \t");
    from.scope = start == s.npos ? "" : s.substr(start);
  }

  Graph region(const Graph& outer, const Builder& b, const OpDef& op, const OperandGroups& groups,
               const Attrs& attrs, const std::vector<Graph>& earlier, int depth) {
    // The argument types come from the node, which does not exist yet: a stand-in of it does.
    Node stand_in;
    stand_in.op = &op;
    stand_in.attrs = attrs;
    stand_in.from = b.from;
    stand_in.regions = earlier;
    for (const Values& group : groups) {
      stand_in.group_sizes.push_back(static_cast<int>(group.size()));
      stand_in.operands.insert(stand_in.operands.end(), group.begin(), group.end());
    }
    const Types types =
        op.region_arguments(OpView(outer, stand_in), static_cast<int>(earlier.size()));
    Graph inner;
    inner.name = "region";
    Names names;
    expect("(");
    size_t i = 0;
    if (!take(")")) {
      do {
        const std::string n = value_name();
        if (i >= types.size())
          fail(concat("the region of '", op.name, "' takes ", types.size(), " arguments"));
        if (take(":"))
          if (const TensorType t = type(); t != types[i])
            fail(concat("argument %", n, " of the region is declared ", t, " but is ", types[i]));
        if (names.contains(n)) fail(concat("%", n, " is defined twice"));
        names[n] = inner.add_argument(types[i++], given_name(n));
      } while (take(","));
      expect(")");
    }
    if (i != types.size())
      fail(concat("the region of '", op.name, "' takes ", types.size(), " arguments, found ", i));
    expect("{");
    const auto [values, split] = body(inner, names, "yield", depth + 1);
    if (&op == &ops::scan && split != groups[0].size())
      fail(concat("needs ", groups[0].size(), " carries before the ';' of 'yield', found ", split));
    for (size_t v = 0; v < values.size(); ++v) inner.add_output("r" + std::to_string(v), values[v]);
    return inner;
  }

  std::string_view text_;
  std::string_view trailing_;  // comment behind the last token, on its line
  std::string file_;
  size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

Graph parse(std::string_view text, const std::string& file) { return Parser(text, file).file(); }

}  // namespace weft::ir
