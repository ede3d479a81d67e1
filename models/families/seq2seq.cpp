// models/families/seq2seq.cpp -- each question is put to the family at hand.
#include "models/families/seq2seq.h"

#include "ir/error.h"

namespace weft::seq2seq {

const Family& Settings::family() const {
  if (family_ == nullptr) throw ir::GraphError("the settings are of no family");
  return *family_;
}

bool Settings::operator==(const Settings& other) const {
  if (family_ != other.family_) return false;
  return empty() ||
         (ends(*this) == ends(other) && settings::values(settings::fields_of(*this)) ==
                                            settings::values(settings::fields_of(other)));
}

void check_target_vocabulary(int64_t size) {
  constexpr int64_t kMost = 1 << 24;
  if (size < 1 || size > kMost)
    throw ir::GraphError(ir::concat("target_vocabulary is ", size, ", needed is 1 to ", kMost));
}

void fields(Ends& e, settings::Fields& f) {
  constexpr settings::Whole kVocabularies{1, 1 << 24}, kSizes{1, 1 << 16};
  data::Source& s = e.source;
  f.choice("source", s.kind, data::kSourceKinds, "what the model reads");
  switch (s.kind) {
    case data::SourceKind::tokens:
      f.integer("source_vocabulary", s.vocabulary, kVocabularies, "ids");
      break;
    case data::SourceKind::frames:
      f.integer("source_features", s.features, kSizes, "of a frame");
      f.integer("source_stack", s.stack, kSizes, "frames of the files that are one");
      f.choice("source_audio", s.audio.features, data::kAudioFeatures, "features of sound");
      if (s.audio.features != data::AudioFeatures::none) data::fields(s.audio, f, "source_");
      break;
    case data::SourceKind::image:
      f.integer("source_features", s.features, kSizes, "of a pixel");
      f.integer("source_height", s.height, kSizes, "pixels");
      f.integer("source_width", s.width, kSizes, "pixels");
      f.integer("source_patch", s.patch, kSizes, "pixels of a side");
      f.flag("source_resize", s.resize, "image files to this height and width");
      f.choice("source_resampling", s.resampling, data::kResamplings, "how");
      break;
  }
  f.integer("target_vocabulary", e.target_vocabulary, kVocabularies, "ids");
  settings::seed_field(f, "seed", e.seed, "of dropout's masks");
}

void fields(Settings& s, settings::Fields& f) { s.family().fields(s, f); }
void check(const Settings& s) { s.family().check(s); }
Ends ends(const Settings& s) { return s.family().ends(s); }
void set_ends(Settings& s, const Ends& e) { s.family().set_ends(s, e); }
int64_t source_vocabulary(const Settings& s) { return ends(s).source.vocabulary; }
int64_t target_vocabulary(const Settings& s) { return ends(s).target_vocabulary; }
uint64_t seed(const Settings& s) { return ends(s).seed; }
bool has_attention(const Settings& s) { return s.family().has_attention(s); }
int64_t most_positions(const Settings& s) { return s.family().most_positions(s); }
int64_t reduction(const Settings& s) { return s.family().reduction(s); }
int64_t most_target_positions(const Settings& s) { return s.family().most_target_positions(s); }

void set_vocabularies(Settings& s, int64_t source, int64_t target) {
  Ends e = ends(s);
  e.source.vocabulary = source;
  e.target_vocabulary = target;
  set_ends(s, e);
}

void set_seed(Settings& s, uint64_t seed) {
  Ends e = ends(s);
  e.seed = seed;
  set_ends(s, e);
}

int64_t parameter_count(const Settings& s) {
  const ir::Graph graph = loss_graph(s, false);
  int64_t count = 0;
  for (const ir::Argument& a : graph.arguments())
    if (a.kind == ir::ArgumentKind::parameter)
      count += ir::element_count(ir::values(graph.type(a.value).shape, {}));
  return count;
}

ir::Graph loss_graph(const Settings& s, bool training) {
  return s.family().graphs.loss(s, training);
}

ir::Graph score_graph(const Settings& s) {
  Settings shown = s;
  Ends e = ends(shown);
  e.by_token = true;
  set_ends(shown, e);
  if (!ends(shown).by_token)
    throw ir::GraphError(
        ir::concat("family ", s.family().name, " does not show what single tokens lose"));
  return loss_graph(shown, false);
}

ir::Graph encode_graph(const Settings& s) { return s.family().graphs.encode(s); }
ir::Graph step_graph(const Settings& s, const search::StepOptions& options) {
  return s.family().graphs.step(s, options);
}
ir::Graph attention_graph(const Settings& s) { return s.family().graphs.attention(s); }

search::Decoder decoder(const Settings& s, const search::StepOptions& options,
                        const ProgramOptions& program) {
  const data::Source source = ends(s).source;
  const bool image = source.kind == data::SourceKind::image;
  return {encode_graph(s),
          step_graph(s, options),
          program,
          {.beam = options.beam,
           .max_positions = most_positions(s),
           .max_target_positions = most_target_positions(s),
           .window = s.family().window(s),
           .ids = options.ids,
           .patches = image ? source.patches() : 0,
           .reduction = reduction(s)}};
}

}  // namespace weft::seq2seq
