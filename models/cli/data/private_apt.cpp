// models/cli/data/private_apt.cpp -- apt's configuration for a state of our own, and its commands.
#include "models/cli/data/private_apt.h"

#include "frontend/formats/atomic_file.h"
#include "frontend/formats/input_file.h"
#include "ir/error.h"
#include "models/cli/data/subprocess.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

namespace weft::cli {
namespace {

namespace fs = std::filesystem;
using ir::RuntimeError;

ProgramResult apt_get(const std::string& configuration, std::vector<std::string> words) {
  words.insert(words.begin(), {"apt-get", "-c", configuration, "-q"});
  try {
    return run_program(words);
  } catch (const RuntimeError&) {
    throw RuntimeError("apt-get cannot be started: Debian's archive is read through it");
  }
}

// "W: Failed to fetch ..." and "E: ..." say more than the last line, which sums up.
std::string fault_of(const ProgramResult& result) {
  std::istringstream lines(result.err);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("E: ") || line.starts_with("W: Failed")) return line.substr(3);
  return result.complaint();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The languages that release files list indexes of.
std::set<std::string> languages_in(const fs::path& lists) {
  constexpr std::string_view kName = "/i18n/Translation-";
  std::set<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(lists)) {
    if (!entry.path().string().ends_with("Release")) continue;
    const std::string text = formats::read_text_file(entry.path().string());
    for (size_t at = text.find(kName); at != text.npos; at = text.find(kName, at + 1)) {
      const size_t begin = at + kName.size(), end = text.find_first_of(". \n", begin);
      found.insert(text.substr(begin, end - begin));
    }
  }
  return found;
}

}  // namespace

PrivateApt::PrivateApt() {
  std::string name = (fs::temp_directory_path() / "weft-apt-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw RuntimeError(fs::temp_directory_path().string() + ": no folder can be made there");
  folder_ = name;
  for (const char* part : {"lists/partial", "cache/archives/partial"})
    fs::create_directories(fs::path(folder_) / part);
}

PrivateApt::~PrivateApt() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

// -c is read last, behind the system's files: lists are cleared there, not added to.
std::string PrivateApt::configuration(const std::vector<std::string>& languages,
                                      bool packages) const {
  std::string text;
  for (const char* hooks : {"DPkg::Post-Invoke", "APT::Update::Pre-Invoke",
                            "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success"})
    text += fmt::format("#clear {};\n", hooks);
  text += "#clear Acquire::Languages;\nAcquire::Languages {";
  for (const std::string& language : languages) text += fmt::format(" \"{}\";", language);
  if (languages.empty()) text += " \"none\";";
  text += fmt::format(
      " }};\n"
      "Acquire::IndexTargets::deb::Packages::DefaultEnabled \"{}\";\n"
      "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n"
      "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled \"false\";\n"
      "Acquire::GzipIndexes \"false\";\n"
      "Acquire::Retries \"2\";\n"
      "Acquire::http::Timeout \"30\";\n"
      "Acquire::https::Timeout \"30\";\n"
      "APT::Sandbox::User \"\";\n"
      "Debug::NoLocking \"true\";\n"
      "Dir::State::lists \"{}/lists\";\n"
      "Dir::State::status \"/dev/null\";\n"
      "Dir::Cache \"{}/cache\";\n",
      packages, folder_, folder_);
  const std::string path = folder_ + "/apt.conf";
  formats::write_file_atomically(path, text);
  return path;
}

void PrivateApt::update(const std::string& configuration) const {
  const ProgramResult result = apt_get(configuration, {"update"});
  if (result.code != 0)
    throw RuntimeError("apt-get cannot fetch the package index: " + fault_of(result));
}

std::vector<std::string> PrivateApt::translations(const std::vector<std::string>& languages) {
  const std::string conf = configuration(languages, false);
  const ProgramResult updated = apt_get(conf, {"update"});
  const ProgramResult targets = apt_get(
      conf, {"indextargets", "--format", "$(LANGUAGE) $(FILENAME)", "Created-By: Translations"});
  std::vector<std::string> files;
  std::set<std::string> found;
  for (const std::string& line : lines_of(targets.out)) {
    const size_t space = line.find(' ');
    if (space == line.npos || !fs::exists(line.substr(space + 1))) continue;
    found.insert(line.substr(0, space));
    files.push_back(line.substr(space + 1));
  }
  for (const std::string& language : languages) {
    if (found.contains(language)) continue;
    const std::set<std::string> there = languages_in(folder_ + "/lists");
    if (there.empty() || there.contains(language))
      throw RuntimeError("apt-get cannot fetch the package index: " + fault_of(updated));
    throw RuntimeError(fmt::format(
        "the package index of this system's sources is not translated to '{}'; there are: {}",
        language, fmt::join(there, " ")));
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string PrivateApt::file_of_package(const std::string& package, const std::string& path) {
  const std::string conf = configuration({}, true);
  update(conf);
  const ProgramResult uris = apt_get(conf, {"download", "--print-uris", package});
  if (uris.code != 0)
    throw RuntimeError(fmt::format("apt-get finds no package {}: {}", package, fault_of(uris)));
  // apt-get downloads into the current folder: a shell changes it for this one command.
  const ProgramResult fetched =
      run_program({"sh", "-c", "cd \"$1\" && exec apt-get -c \"$2\" -q download \"$3\"", "sh",
                   folder_, conf, package});
  if (fetched.code != 0)
    throw RuntimeError(fmt::format("apt-get cannot fetch {}: {}", package, fault_of(fetched)));
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() != ".deb") continue;
    const ProgramResult unpacked =
        run_program({"dpkg-deb", "-x", entry.path().string(), folder_ + "/unpacked"});
    if (unpacked.code != 0)
      throw RuntimeError(fmt::format("dpkg-deb cannot unpack {}: {}", package, fault_of(unpacked)));
  }
  const std::string file = folder_ + "/unpacked" + path;
  if (!fs::exists(file)) throw RuntimeError(fmt::format("the package {} has no {}", package, path));
  return file;
}

std::string decompressed(const std::string& path) {
  const ProgramResult result = run_program({"/usr/lib/apt/apt-helper", "cat-file", path});
  if (result.code != 0)
    throw ir::GraphError(path + ": cannot be decompressed: " + fault_of(result));
  return result.out;
}

}  // namespace weft::cli
