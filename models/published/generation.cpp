// models/published/generation.cpp -- settings of generation, one by one, with their origins.
#include "models/published/generation.h"

#include "ir/attrs.h"
#include "ir/error.h"

#include <algorithm>
#include <tuple>

namespace weft::published {
namespace {

using data::SpecialIds;
using ir::concat;
using search::SearchOptions;

constexpr settings::Whole kLengths{0, 1'000'000};

// What transformers calls otherwise than a search here does.
constexpr std::pair<std::string_view, std::string_view> kOptions[] = {
    {"num_beams", "beam"},
    {"max_length", "max_length"},
    {"max_new_tokens", "max_length"},
    {"min_length", "min_length"},
    {"min_new_tokens", "min_length"},
    {"length_penalty", "length_penalty"},
    {"early_stopping", "early_stopping"},
    {"no_repeat_ngram_size", "no_repeat_ngram"},
    {"repetition_penalty", "repetition_penalty"},
    {"num_beam_groups", "groups"},
    {"diversity_penalty", "diversity"},
    {"do_sample", "sample"},
    {"temperature", "temperature"},
    {"top_k", "top_k"},
    {"top_p", "top_p"},
    {"min_p", "min_p"},
    {"typical_p", "typical_p"},
    {"epsilon_cutoff", "epsilon_cutoff"},
    {"eta_cutoff", "eta_cutoff"},
};

std::string option_of(std::string_view key) {
  for (const auto& [theirs, ours] : kOptions)
    if (theirs == key) return std::string(ours);
  return {};
}

std::vector<int32_t> ids_of(const ConfigFile::Integers& list) { return {list.begin(), list.end()}; }

// The two files, the preferred one first.
class Sources {
 public:
  Sources(const ConfigFile& config, const ConfigFile* generation, int64_t vocabulary,
          std::vector<SettingOrigin>& origins)
      : config_(config), generation_(generation), vocabulary_(vocabulary), origins_(origins) {}

  // The file that has the key; config.json where none has it.
  const ConfigFile& of(std::string_view key) const {
    return generation_ != nullptr && generation_->has(key) ? *generation_ : config_;
  }
  bool has(std::string_view key) const { return of(key).has(key); }

  int64_t integer(std::string_view key, const settings::Whole& range, int64_t otherwise) {
    tell(key, std::to_string(otherwise));
    return of(key).integer(key, range, otherwise);
  }
  double real(std::string_view key, const settings::Interval& range, double otherwise) {
    tell(key, ir::str(ir::Attr(otherwise)));
    return of(key).real(key, range, otherwise);
  }
  bool flag(std::string_view key, bool otherwise) {
    tell(key, otherwise ? "true" : "false");
    return of(key).flag(key, otherwise);
  }
  // An id of the vocabulary; SpecialIds::kNone where there is none.
  int32_t id(std::string_view key) {
    tell_given(key);
    return static_cast<int32_t>(of(key).integer(key, within(), SpecialIds::kNone));
  }
  std::vector<int32_t> ids(std::string_view key) {
    tell_given(key);
    return ids_of(of(key).integers(key, within()));
  }
  std::vector<ConfigFile::Integers> lists(std::string_view key) {
    tell_given(key);
    return of(key).lists(key, within());
  }
  // Is it there with another value than the one that changes nothing? Then it is refused.
  void refuse_unless(std::string_view key, std::string_view harmless) {
    const ConfigFile& file = of(key);
    if (!file.has(key) || file.written(key) == harmless) return;
    file.fail(key, concat("\"", key, "\": ", file.written(key), " is not supported; only ",
                          harmless, " is"));
  }

  void tell(std::string_view key, std::string otherwise) {
    const ConfigFile& file = of(key);
    const bool given = file.has(key);
    origins_.push_back({std::string(key), given ? file.written(key) : std::move(otherwise),
                        given ? origin(file) : "default", option_of(key)});
  }
  void tell_given(std::string_view key) {
    if (has(key)) tell(key, "");
  }
  static std::string origin(const ConfigFile& file) {
    const size_t slash = file.path().rfind('/');
    return slash == std::string::npos ? file.path() : file.path().substr(slash + 1);
  }
  settings::Whole within() const { return {0, vocabulary_ - 1}; }

 private:
  const ConfigFile& config_;
  const ConfigFile* generation_;
  int64_t vocabulary_;
  std::vector<SettingOrigin>& origins_;
};

// decoder_start_token_id, or what transformers takes where it is missing; several ends.
void read_ids(Sources& s, Generation& g) {
  g.ids = {
      .pad = s.id("pad_token_id"), .begin = s.id("decoder_start_token_id"), .all_produced = true};
  g.ids.unknown = SpecialIds::kNone;
  if (g.ids.begin == SpecialIds::kNone) g.ids.begin = s.id("bos_token_id");
  if (g.ids.begin == SpecialIds::kNone) g.ids.begin = g.ids.pad;
  const std::vector<int32_t> ends = s.ids("eos_token_id");
  if (ends.empty())
    s.of("eos_token_id").fail("eos_token_id", "\"eos_token_id\" is missing, needed is an id");
  if (g.ids.begin == SpecialIds::kNone)
    s.of("decoder_start_token_id")
        .fail("decoder_start_token_id",
              "\"decoder_start_token_id\" is missing, and so are \"bos_token_id\" and "
              "\"pad_token_id\": needed is what a target begins with");
  g.ids.end = ends.front();
  g.search.rules.more_ends.assign(ends.begin() + 1, ends.end());
}

void read_lengths(Sources& s, SearchOptions& o) {
  // They count the token the decoder starts with.
  if (s.has("max_new_tokens")) {
    o.max_length = {.per_token = 0, .plus = s.integer("max_new_tokens", {1, 1'000'000}, 1)};
  } else if (s.has("max_length")) {
    o.max_length = {.per_token = 0,
                    .plus = std::max<int64_t>(s.integer("max_length", {1, 1'000'000}, 1) - 1, 1)};
  } else {
    s.tell("max_length", str(o.max_length));
  }
  const int64_t least = s.integer("min_length", kLengths, 0),
                added = s.has("min_new_tokens") ? s.integer("min_new_tokens", kLengths, 0) : 0;
  o.min_length = std::max({least - 1, added, int64_t{0}});
}

search::EarlyStopping early_stopping(Sources& s) {
  const std::string_view key = "early_stopping";
  s.tell(key, "false");
  const ConfigFile& file = s.of(key);
  const std::string written = file.written(key);
  if (written == "null" || written == "false") return search::EarlyStopping::no;
  if (written == "true") return search::EarlyStopping::yes;
  if (written == "\"never\"") return search::EarlyStopping::never;
  file.fail(key, concat("\"early_stopping\" is ", written, ", needed is true, false or \"never\""));
}

void read_bans(Sources& s, Generation& g) {
  SearchOptions& o = g.search;
  for (const ConfigFile::Integers& word : s.lists("bad_words_ids")) {
    search::Phrase phrase = ids_of(word);
    // What the search passes over by itself is cheaper than a ban.
    if (phrase.size() == 1 && phrase[0] == g.ids.pad && g.ids.pad == g.ids.begin &&
        g.ids.pad != g.ids.end)
      g.ids.all_produced = false;
    else if (phrase != search::Phrase{g.ids.end})  // as in transformers
      o.bad_words.push_back(std::move(phrase));
  }
  search::TokenRules& r = o.rules;
  r.suppressed = s.ids("suppress_tokens");
  r.suppressed_first = s.ids("begin_suppress_tokens");
  r.forced_first = s.id("forced_bos_token_id");
  const std::vector<int32_t> last = s.ids("forced_eos_token_id");
  if (!last.empty()) r.forced_last = last.front();
  s.tell_given("sequence_bias");
  for (const auto& [ids, bias] : s.of("sequence_bias").weighted_lists("sequence_bias", s.within()))
    r.biases.emplace_back(ids_of(ids), bias);
  if (s.has("exponential_decay_length_penalty")) {
    s.tell_given("exponential_decay_length_penalty");
    std::tie(r.growth_from, r.growth) = s.of("exponential_decay_length_penalty")
                                            .integer_and_real("exponential_decay_length_penalty");
  }
  r.renormalize = s.has("renormalize_logits") && s.flag("renormalize_logits", false);
  if (s.has("encoder_repetition_penalty"))
    r.source_repetition_penalty =
        s.real("encoder_repetition_penalty", settings::above_zero(100), 1);
  if (s.has("encoder_no_repeat_ngram_size"))
    r.source_ngram = s.integer("encoder_no_repeat_ngram_size", {0, 1000}, 0);
  r.on_logits = true;
}

void read_sampling(Sources& s, SearchOptions& o) {
  o.sample = s.flag("do_sample", false);
  if (!o.sample) return;
  o.early_stopping = search::EarlyStopping::no;  // every draw ends by itself
  o.temperature = s.real("temperature", settings::above_zero(1000), 1);
  o.top_k = s.integer("top_k", {0, 1 << 24}, 50);
  o.top_p = s.real("top_p", settings::above_zero(1), 1);
  if (s.has("min_p")) o.min_p = s.real("min_p", settings::up_to(1), 0);
  if (s.has("typical_p")) o.typical_p = s.real("typical_p", settings::above_zero(1), 1);
  if (s.has("epsilon_cutoff")) o.epsilon_cutoff = s.real("epsilon_cutoff", settings::kShare, 0);
  if (s.has("eta_cutoff")) o.eta_cutoff = s.real("eta_cutoff", settings::kShare, 0);
}

}  // namespace

Generation read_generation(const ConfigFile& config, const ConfigFile* generation,
                           int64_t vocabulary) {
  Generation g;
  Sources s(config, generation, vocabulary, g.origins);
  SearchOptions& o = g.search;
  read_ids(s, g);
  g.beam = s.integer("num_beams", {1, 1024}, 1);
  o.n_best = s.has("num_return_sequences") ? s.integer("num_return_sequences", {1, g.beam}, 1) : 1;
  read_lengths(s, o);
  o.length_penalty = s.real("length_penalty", settings::up_to(20), 1);
  o.early_stopping = early_stopping(s);
  o.no_repeat_ngram = s.integer("no_repeat_ngram_size", {0, 1000}, 0);
  o.repetition_penalty = s.real("repetition_penalty", settings::above_zero(100), 1);
  o.groups = s.integer("num_beam_groups", {1, 1024}, 1);
  o.diversity = s.real("diversity_penalty", settings::up_to(1000), 0);
  read_bans(s, g);
  read_sampling(s, o);
  s.refuse_unless("penalty_alpha", "0.0");
  s.refuse_unless("guidance_scale", "1.0");
  return g;
}

}  // namespace weft::published
