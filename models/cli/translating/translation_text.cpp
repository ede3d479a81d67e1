// models/cli/translating/translation_text.cpp -- hypotheses into what is written.
#include "models/cli/translating/translation_text.h"

#include "models/cli/command.h"

#include <numeric>

namespace weft::cli {

void TranslationText::add_to(Command& command) {
  command
      .add_option(
          "--align", align_,
          "Write which words came from which behind each result and a tab, by what the model "
          "looked at: hard 0-0 1-2 (source-target, from 0), soft all weights, a row of source "
          "tokens for each token and </s>")
      ->type_name("hard|soft")
      ->one_of({"hard", "soft"})
      ->group("Output");
  command
      .add_option("--tags", tags_,
                  "Keep tags (<b>, </b>, <br/>) from the model, and put them around the words that "
                  "came from what they were around")
      ->type_name("xml")
      ->one_of({"xml"})
      ->group("Output");
  command
      .add_flag("--replace-unknown", replace_,
                "Instead of unknown words write those of the source that the model looked at most")
      ->group("Output");
  command
      .add_option(
          "--dictionary", dictionary_file_,
          "What --replace-unknown writes for such words, word<TAB>word; for others themselves")
      ->type_name("FILE.tsv")
      ->group("Output");
}

void TranslationText::prepare(TranslatorOptions& options) {
  if (!dictionary_file_.empty() && !replace_)
    throw UsageError("--dictionary is for --replace-unknown, which is not given");
  if (!dictionary_file_.empty()) dictionary_ = read_dictionary(dictionary_file_);
  options.weights = options.weights || !is_plain();
}

void TranslationText::check(const Translator& model) {
  if (is_plain()) return;
  if (!seq2seq::has_attention(model.config()))
    throw UsageError(
        "the model has no attention, which --align, --tags and --replace-unknown need");
  if (replace_ && data::has_subwords(model.tokenizers().target.kind()))
    throw UsageError(
        "--replace-unknown is for models of words or characters; this one's are pieces");
}

std::string TranslationText::text(const Translator& model, const search::Hypothesis& h,
                                  const std::string& source, const MarkedText& marked) const {
  std::string text = model.text_of(h);
  if (is_plain()) return text;
  const data::Tokenizer& target = model.tokenizers().target;
  const Translator::Tokens labels = model.labels(source);
  const bool of_text = seq2seq::ends(model.config()).source.kind == data::SourceKind::tokens;
  std::vector<std::string> tokens = model.tokens_of(h);
  if (replace_) {
    tokens = with_unknown_replaced(tokens, h, labels, target.special().unknown, dictionary_);
    text.clear();
    for (const std::string& token : tokens)
      text += (text.empty() || target.kind() == data::TokenizerKind::characters ? "" : " ") + token;
  }
  std::vector<int64_t> source_words(labels.size());
  std::iota(source_words.begin(), source_words.end(), int64_t{0});
  if (of_text) source_words = words_of(labels, model.tokenizers().source.kind());
  const std::vector<int64_t> from =
      hard_alignment(h, source_words, words_of(tokens, target.kind()));
  if (!tags_.empty()) text = with_markup(marked, data::split_tokens(text), from);
  if (align_ == "hard") text += "\t" + pharaoh(from);
  if (align_ == "soft") text += "\t" + soft_alignment(h, std::ssize(labels));
  return text;
}

}  // namespace weft::cli
