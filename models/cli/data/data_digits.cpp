// models/cli/data/data_digits.cpp -- weft data digits: strings of digits, spoken by espeak-ng.
#include "frontend/formats/atomic_file.h"
#include "ir/error.h"
#include "models/cli/data/data.h"
#include "models/cli/data/subprocess.h"
#include "models/data/random.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace weft::cli {
namespace {

constexpr std::string_view kDigits[] = {"zero", "one", "two",   "three", "four",
                                        "five", "six", "seven", "eight", "nine"};
// English as it is spoken in several places, by espeak-ng's variants of its voice.
constexpr std::string_view kAccents[] = {"en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp"};
constexpr std::string_view kSpeakers[] = {"", "+f2", "+f4", "+m3", "+m7"};

struct DigitOptions {
  std::string folder, program = "espeak-ng";
  int64_t longest = 7, train = 2000, valid = 200, test = 400;
  uint64_t seed = 1;
};

template <typename T, size_t N>
T one_of(const T (&list)[N], data::Random& random) {
  return list[random.below(N)];
}

struct Utterance {
  std::string text, voice;
  int64_t speed, pitch;  // words a minute; 0 to 99
};

Utterance draw(const DigitOptions& o, data::Random& random) {
  Utterance u;
  const uint64_t length = 1 + random.below(static_cast<uint64_t>(o.longest));
  for (uint64_t i = 0; i < length; ++i) (u.text += i == 0 ? "" : " ") += one_of(kDigits, random);
  u.voice = std::string(one_of(kAccents, random)) + std::string(one_of(kSpeakers, random));
  u.speed = 120 + static_cast<int64_t>(random.below(101));
  u.pitch = 25 + static_cast<int64_t>(random.below(51));
  return u;
}

void speak(const DigitOptions& o, const Utterance& u, const std::string& path) {
  const ProgramResult r = run_program({o.program, "-v", u.voice, "-s", std::to_string(u.speed),
                                       "-p", std::to_string(u.pitch), "-w", path, u.text});
  if (r.code != 0)
    throw ir::RuntimeError(
        fmt::format("{} ended with code {}: {}", o.program, r.code, r.complaint()));
  std::error_code error;
  if (std::filesystem::file_size(path, error) == 0 || error)
    throw ir::RuntimeError(fmt::format("{} wrote no sound to {}", o.program, path));
}

void write(const DigitOptions& o, const std::string& part, int64_t count) {
  make_folder(o.folder + "/" + part);
  data::Random random(o.seed, data::hash(0, part));
  std::string list;
  for (int64_t i = 1; i <= count; ++i) {
    const Utterance u = draw(o, random);
    const std::string name = fmt::format("{}/{:05}.wav", part, i);
    speak(o, u, o.folder + "/" + name);
    list += name + "\t" + u.text + "\n";
  }
  formats::write_file_atomically(fmt::format("{}/{}.tsv", o.folder, part), list);
  put(fmt::format("{}/{}.tsv: {} utterances\n", o.folder, part, count));
}

void digits(const DigitOptions& o) {
  if (o.longest < 1 || o.longest > 100)
    throw UsageError(fmt::format("--longest is {}, needed is 1 to 100", o.longest));
  for (const int64_t count : {o.train, o.valid, o.test})
    if (count < 1 || count > 1 << 20)
      throw UsageError(
          fmt::format("{} utterances are asked for, needed are 1 to {}", count, 1 << 20));
  try {
    run_program({o.program, "--version"});
  } catch (const ir::RuntimeError& e) {
    throw ir::RuntimeError(
        fmt::format("{}; Debian's package espeak-ng has it (apt install espeak-ng), or --program "
                    "says where it is",
                    e.what()));
  }
  make_folder(o.folder);
  write(o, "train", o.train);
  write(o, "valid", o.valid);
  write(o, "test", o.test);
}

}  // namespace

void add_digits(Command& data) {
  Command* command = data.add_command(
      "digits",
      "Strings of 1 to 7 digits as espeak-ng speaks them in several voices, speeds and pitches: "
      "WAV files (22050 samples a second) and train.tsv, valid.tsv, test.tsv",
      "weft data digits digits");
  const auto o = std::make_shared<DigitOptions>();
  command->add_option("DIR", o->folder, "Folder for the files")->required();
  command->add_option("--program", o->program, "espeak-ng, or where it is")
      ->type_name("FILE")
      ->show_default();
  command->add_option("--longest", o->longest, "Digits in an utterance at most")->show_default();
  command->add_option("--train", o->train, "Utterances to train on")->show_default();
  command->add_option("--valid", o->valid, "Utterances to validate on")->show_default();
  command->add_option("--test", o->test, "Utterances to test on")->show_default();
  command->add_option("--seed", o->seed, "Of what is drawn")->show_default();
  command->callback([o] { digits(*o); });
}

}  // namespace weft::cli
