// models/cli/models/families.cpp -- weft families: all that a recipe can say, as markdown.
#include "models/cli/command.h"
#include "models/families/seq2seq.h"
#include "models/families/table.h"
#include "models/training/recipe/recipe.h"

#include <fmt/format.h>

namespace weft::cli {
namespace {

std::string table_of(const std::vector<settings::Walk>& records) {
  std::string s = "| key | value | default | what it is |\n|---|---|---|---|\n";
  for (const settings::Walk& record : records)
    for (const settings::FieldDoc& f : settings::documentation(record))
      s += fmt::format("| `{}` | {} | `{}` | {} |\n", f.key, f.needed, f.value, f.doc);
  return s;
}

std::string page() {
  std::string s =
      "# Recipes\n\nA recipe is a TOML file of six tables. Every key has a default but "
      "`data.train`; a key that is not here is an error at its line.\n`weft families` prints this "
      "page.\n";
  const auto add_tables = [&](bool before_model) {
    for (const training::RecipeTable& t : training::recipe_tables())
      if ((t.name == "data") == before_model)
        s += fmt::format("\n## `[{}]`: {}\n\n{}", t.name, t.doc, table_of(t.records));
  };
  add_tables(true);
  s += "\n## `[model]`: its family and that family's settings\n";
  bool first = true;
  for (const seq2seq::Family* f : seq2seq::families()) {
    s += fmt::format("\n### `family = \"{}\"`{}: {}\n\n{}", f->name, first ? " (the default)" : "",
                     f->doc, table_of({settings::fields_of(f->defaults())}));
    first = false;
  }
  add_tables(false);
  return s;
}

}  // namespace

void add_families(Command& program) {
  program
      .add_command(
          "families",
          "Print the families of models with their settings, and all else that recipes say",
          "weft families > recipes.md")
      ->callback([] { put(page()); });
}

}  // namespace weft::cli
