// models/families/family.h -- a family of encoder-decoders as a value.
//
// What training, search and the program need of a model are its settings and four graphs, whatever
// is inside. A family is a folder with a record of settings, `Config`, and functions of the names
// in `make_family`, found in the folder's namespace; and a line in table.cpp.
#pragma once
#include "ir/graph.h"
#include "models/data/source.h"
#include "models/search/step_graph.h"
#include "models/settings/fields.h"

#include <any>
#include <concepts>
#include <string_view>

namespace weft::seq2seq {

struct Family;

template <typename C>
concept FamilyConfig = requires(const C& c) {
  { family_of(c) } -> std::same_as<const Family&>;
};

// Settings of some family: which, and its own record of them.
class Settings {
 public:
  Settings() = default;
  template <FamilyConfig C>
  Settings(C config) : family_(&family_of(config)), config_(std::move(config)) {}

  bool empty() const { return family_ == nullptr; }
  const Family& family() const;  // GraphError where there is none
  template <typename C>
  const C& as() const {
    return std::any_cast<const C&>(config_);
  }
  template <typename C>
  C& as() {
    return std::any_cast<C&>(config_);
  }
  bool operator==(const Settings& other) const;

 private:
  const Family* family_ = nullptr;
  std::any config_;
};

// What data and run say, not the recipe's model.
struct Ends {
  data::Source source;
  int64_t target_vocabulary = 0;
  uint64_t seed = 1;      // of dropout's masks
  bool weighted = false;  // the loss weighs rows by the input row_weights: f32[B]
  bool by_token = false;  // the loss, when it is measured, has the output token_losses: f32[B,T]

  bool operator==(const Ends&) const = default;
};

struct Graphs {
  ir::Graph (*loss)(const Settings&, bool training);
  ir::Graph (*encode)(const Settings&);
  ir::Graph (*step)(const Settings&, const search::StepOptions&);
  ir::Graph (*attention)(const Settings&);
};

struct Family {
  std::string_view name, doc;
  Settings (*defaults)();
  void (*fields)(Settings&, settings::Fields&);
  void (*check)(const Settings&);
  Ends (*ends)(const Settings&);
  void (*set_ends)(Settings&, const Ends&);
  bool (*has_attention)(const Settings&);
  int64_t (*most_positions)(const Settings&);
  int64_t (*most_target_positions)(const Settings&);
  int64_t (*window)(const Settings&);
  int64_t (*reduction)(const Settings&);
  Graphs graphs;
};

void check_target_vocabulary(int64_t size);  // GraphError out of range

// Of a Config with the members of Ends, and these functions in its namespace:
//   fields(Config&, settings::Fields&)   what recipes set
//   check(const Config&)                 GraphError where fields do not go together
//   has_attention(const Config&)         are there weights to draw
//   most_positions(const Config&)        of a source, or a target with its end; 0: no limit
//   most_target_positions(const Config&) of a target, where that is another number
//   reduction(const Config&)             positions of a source that attention sees as one, where
//                                        that is more
//   window(const Config&)                steps that caches of a search have to keep; 0: all
//   loss_graph, encode_graph, step_graph, attention_graph
template <typename C>
constexpr Family make_family(std::string_view name, std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .defaults = [] { return Settings(C()); },
          .fields = [](Settings& s, settings::Fields& f) { fields(s.as<C>(), f); },
          .check = [](const Settings& s) { check(s.as<C>()); },
          .ends = [](const Settings& s) -> Ends {
            const C& c = s.as<C>();
            Ends e{c.source, c.target_vocabulary, c.seed};
            if constexpr (requires { c.weighted; }) e.weighted = c.weighted;
            if constexpr (requires { c.by_token; }) e.by_token = c.by_token;
            return e;
          },
          .set_ends =
              [](Settings& s, const Ends& e) {
                C& c = s.as<C>();
                c.source = e.source, c.target_vocabulary = e.target_vocabulary, c.seed = e.seed;
                if constexpr (requires { c.weighted; }) c.weighted = e.weighted;
                if constexpr (requires { c.by_token; }) c.by_token = e.by_token;
              },
          .has_attention = [](const Settings& s) { return has_attention(s.as<C>()); },
          .most_positions = [](const Settings& s) { return most_positions(s.as<C>()); },
          .most_target_positions = [](const Settings& s) -> int64_t {
            if constexpr (requires(const C& c) { most_target_positions(c); })
              return most_target_positions(s.as<C>());
            return most_positions(s.as<C>());
          },
          .window = [](const Settings& s) { return window(s.as<C>()); },
          .reduction = [](const Settings& s) -> int64_t {
            if constexpr (requires(const C& c) { reduction(c); }) return reduction(s.as<C>());
            return 1;
          },
          .graphs = {.loss = [](const Settings& s,
                                bool training) { return loss_graph(s.as<C>(), training); },
                     .encode = [](const Settings& s) { return encode_graph(s.as<C>()); },
                     .step = [](const Settings& s,
                                const search::StepOptions& o) { return step_graph(s.as<C>(), o); },
                     .attention = [](const Settings& s) { return attention_graph(s.as<C>()); }}};
}

}  // namespace weft::seq2seq
