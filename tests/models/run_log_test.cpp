// tests/models/run_log_test.cpp -- what a run says of itself, as lines of JSON and for TensorBoard.
#include "models/training/log/run_log.h"

#include "ir/error.h"
#include "tests/formats/temporary_folder.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace weft::training {
namespace {

Event step_event(int64_t step, double loss) {
  return {.kind = Event::Kind::step,
          .step = step,
          .loss = loss,
          .batch_loss = loss,
          .gradient_norm = 2,
          .rate = 0.1};
}
Event validation_event(int64_t step, double loss, bool best) {
  return {.kind = Event::Kind::validation, .step = step, .loss = loss, .best = best};
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Folder {
  tests::TemporaryFolder temporary;
  std::string path = temporary / "run";

  Folder() { std::filesystem::create_directory(path); }
};

void never(const std::string& text) { FAIL_CHECK(text); }

TEST_CASE(
    "run log: a record for every tenth step, with the mean of those before, and for validations") {
  const Folder folder;
  {
    const auto log = run_log(folder.path, 0, never);
    for (int64_t s = 1; s <= 20; ++s) log(step_event(s, static_cast<double>(s)));
    log(validation_event(20, 4.5, true));
    log(step_event(21, 7));
    log({.kind = Event::Kind::finished, .step = 21});
  }
  const auto records = read_run_log(run_log_path(folder.path));
  REQUIRE(records.size() == 4);
  CHECK(records[0].step == 10);
  CHECK(records[0].loss == 5.5);
  CHECK(records[1].loss == 15.5);
  CHECK(records[2].validation);
  CHECK(records[2].best);
  CHECK(records[2].loss == 4.5);
  CHECK(records[3].step == 21);
  CHECK(records[3].loss == 7);
  CHECK(records[3].gradient_norm == 2);
}

TEST_CASE("run log: a run that goes on writes over what was logged after its first step") {
  const Folder folder;
  {
    const auto log = run_log(folder.path, 0, never);
    for (int64_t s = 1; s <= 40; ++s) log(step_event(s, 9));
  }
  {
    const auto log = run_log(folder.path, 20, never);
    for (int64_t s = 21; s <= 30; ++s) log(step_event(s, 1));
  }
  const auto records = read_run_log(run_log_path(folder.path));
  REQUIRE(records.size() == 3);
  CHECK(records[1].step == 20);
  CHECK(records[1].loss == 9);
  CHECK(records[2].step == 30);
  CHECK(records[2].loss == 1);
}

TEST_CASE("run log: a number that is not finite is null and comes back as NaN") {
  const Folder folder;
  run_log(folder.path, 0, never)(validation_event(3, INFINITY, false));
  CHECK(content(run_log_path(folder.path)).find("\"loss\":null") != std::string::npos);
  CHECK(std::isnan(read_run_log(run_log_path(folder.path)).at(0).loss));
}

TEST_CASE("run log: half a line is left out, another line that is no record is told") {
  const Folder folder;
  const std::string path = run_log_path(folder.path);
  run_log(folder.path, 0, never)(validation_event(3, 1, false));
  std::ofstream(path, std::ios::app) << "{\"kind\":\"ste";
  CHECK(read_run_log(path).size() == 1);
  std::ofstream(path, std::ios::app) << "\n{\"a\":1}\n";
  CHECK_THROWS_WITH_AS(read_run_log(path), doctest::Contains("log.jsonl:3: is no record of a run"),
                       ir::GraphError);
}

TEST_CASE("run log: a run that goes on after half a line begins a line of its own") {
  const Folder folder;
  std::ofstream(run_log_path(folder.path)) << "{\"kind\":\"ste";
  run_log(folder.path, 2, never)(validation_event(3, 1, false));
  CHECK(read_run_log(run_log_path(folder.path)).size() == 1);
}

TEST_CASE("run log: where it cannot be written, that is said once and the run goes on") {
  int said = 0;
  const auto log = run_log("/proc/nowhere", 0, [&](const std::string&) { ++said; });
  for (int64_t s = 1; s <= 30; ++s) log(step_event(s, 1));
  CHECK(said == 1);
}

TEST_CASE("event files: records with lengths and masked checksums, as TensorBoard reads them") {
  CHECK(crc32c("123456789") == 0xe3069283);  // the check value of CRC-32C
  const Folder folder;
  {
    EventFile file(folder.path);
    file.add(300, "loss", 0.5);
  }
  std::string bytes;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path))
    bytes = content(entry.path());
  std::vector<std::string> messages;
  for (size_t at = 0; at + 16 <= bytes.size();) {
    uint64_t length;
    uint32_t crc;
    std::memcpy(&length, bytes.data() + at, 8);
    std::memcpy(&crc, bytes.data() + at + 8, 4);
    const auto masked = [](uint32_t c) { return ((c >> 15) | (c << 17)) + 0xa282ead8u; };
    CHECK(crc == masked(crc32c(bytes.substr(at, 8))));
    messages.push_back(bytes.substr(at + 12, length));
    std::memcpy(&crc, bytes.data() + at + 12 + length, 4);
    CHECK(crc == masked(crc32c(messages.back())));
    at += 16 + length;
  }
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].find("brain.Event:2") != std::string::npos);
  // wall_time; step 300; summary { value { tag "loss" simple_value 0.5 } }
  CHECK(messages[1].substr(9) ==
        std::string("\x10\xac\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f", 18));
}

}  // namespace
}  // namespace weft::training
