// models/cli/graphs/ops.cpp -- weft ops: the table of ops as markdown, as docs/ir.md has it.
#include "ir/ops/table.h"
#include "models/cli/command.h"

#include <fmt/format.h>

namespace weft::cli {
namespace {

std::string_view kind_name(ir::AttrKind kind) {
  static constexpr std::string_view names[] = {"integer", "real",  "boolean", "text",
                                               "dtype",   "dim",   "shape",   "integers",
                                               "reals",   "texts", "axis",    "axes"};
  return names[static_cast<int>(kind)];
}

// "carries*, scanned*, lengths?": groups as the text form separates them, by ';' where one is
// optional or variadic.
std::string operands(const ir::OpDef& op) {
  std::string s;
  for (size_t i = 0; i < op.operands.size(); ++i) {
    const ir::OperandDef& o = op.operands[i];
    const bool apart =
        o.arity != ir::Arity::one || (i > 0 && op.operands[i - 1].arity != ir::Arity::one);
    if (i > 0) s += apart ? "; " : ", ";
    s += std::string(o.name) + (o.arity == ir::Arity::variadic   ? "*"
                                : o.arity == ir::Arity::optional ? "?"
                                                                 : "");
  }
  return s;
}

std::string attributes(const ir::OpDef& op) {
  std::string s;
  for (const ir::AttrDef& a : op.attrs)
    s += fmt::format("{}{}: {}{}", s.empty() ? "" : ", ", a.name, kind_name(a.kind),
                     a.required() ? "" : " = " + ir::str(a.value()));
  return s;
}

std::string traits(const ir::OpDef& op) {
  std::string s;
  const auto add = [&s](bool has, std::string_view name) {
    if (has) s += fmt::format("{}{}", s.empty() ? "" : ", ", name);
  };
  add(op.elementwise, "elementwise");
  add(op.commutative, "commutative");
  add(op.zero_preserving, "zero preserving");
  add(op.idempotent, "idempotent");
  add(op.expand != nullptr, "fused");
  add(op.regions > 0, fmt::format("{} region{}", op.regions, op.regions == 1 ? "" : "s"));
  return s;
}

// A bar would end the table's cell.
std::string cell(std::string_view text) {
  std::string s;
  for (const char c : text) s += c == '|' ? std::string("\\|") : std::string(1, c);
  return s;
}

void ops() {
  std::string s = "| op | operands | attributes | traits | what it is |\n|---|---|---|---|---|\n";
  for (const ir::OpDef* op : ir::ops::table()) {
    const auto code = [](const std::string& text) {
      return text.empty() ? text : "`" + cell(text) + "`";
    };
    s += fmt::format("| `{}` | {} | {} | {} | {} |\n", op->name, code(operands(*op)),
                     code(attributes(*op)), traits(*op), cell(op->doc));
  }
  put(s);
}

}  // namespace

void add_ops(Command& program) {
  program
      .add_command("ops",
                   "Print the table of ops as markdown ('*': any number, '?': may be missing)",
                   "weft ops > ops.md")
      ->callback(ops);
}

}  // namespace weft::cli
