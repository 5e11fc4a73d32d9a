// main() of a fuzzer where libFuzzer is not: feeds it its corpus, and mutations of it that are the same in
// every run. Part of the ordinary tests, with every compiler and sanitizer.
//   NAME_fuzz [--mutations N] [--findings FOLDER] FILE_OR_FOLDER...
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.hpp"

// Sanitizers end the process in ways of their own; where there is none, this is null.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

namespace fs = std::filesystem;

std::string finding_path;
std::string running;  // the input under test
bool told = false;

// Only what a signal handler may call.
void keep_finding() {
  if (told) return;
  told = true;
  const int fd = ::open(finding_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return;
  (void)!::write(fd, running.data(), running.size());
  ::close(fd);
  constexpr char kTold[] = "the input is kept as ";
  (void)!::write(STDERR_FILENO, kTold, sizeof(kTold) - 1);
  (void)!::write(STDERR_FILENO, finding_path.data(), finding_path.size());
  (void)!::write(STDERR_FILENO, "\n", 1);
}

void on_signal(int number) {
  keep_finding();
  std::signal(number, SIG_DFL);
  ::raise(number);
}

void run(std::string input) {
  running = std::move(input);
  // A heap block of exactly its size, so that a sanitizer sees a read behind it.
  const std::vector<std::uint8_t> bytes(running.begin(), running.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

// The same numbers everywhere (Marsaglia's xorshift64), unlike std's distributions.
class Numbers {
 public:
  std::size_t below(std::size_t end) {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return static_cast<std::size_t>(state_ % end);
  }

 private:
  std::uint64_t state_ = 0x9E3779B97F4A7C15U;
};

constexpr std::size_t kInputBytesMax = 65536;

void mutate_once(std::string& input, const std::vector<std::string>& seeds, Numbers& numbers) {
  const auto at = numbers.below(input.size() + 1);
  const auto length = numbers.below(std::min<std::size_t>(input.size() - at, 64) + 1);
  switch (numbers.below(7)) {
    case 0:
      if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << numbers.below(8)));
      break;
    case 1:
      if (at < input.size()) input[at] = static_cast<char>(numbers.below(256));
      break;
    case 2:
      input.erase(at, length);
      break;
    case 3:
      input.insert(at, 1 + numbers.below(8), static_cast<char>(numbers.below(256)));
      break;
    case 4:
      input.insert(at, input.substr(at, length));
      break;
    case 5: {
      const auto& other = seeds[numbers.below(seeds.size())];
      const auto from = numbers.below(other.size() + 1);
      input.insert(at, other, from, 1 + numbers.below(64));
      break;
    }
    default: {
      static const char* const kWords[] = {"-1",
                                           "0",
                                           "101",
                                           "1e400",
                                           "9223372036854775808",
                                           "null",
                                           "\"",
                                           "[[[[",
                                           "{\"",
                                           "\\u0000",
                                           "\xC0\x80",
                                           "\xED\xA0\x80",
                                           "\n",
                                           "\r\n",
                                           "..",
                                           "/",
                                           "+",
                                           "#",
                                           "%00",
                                           ",",
                                           "="};
      input.replace(at, length, kWords[numbers.below(std::size(kWords))]);
    }
  }
  if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
}

std::vector<std::string> read_seeds(const std::vector<fs::path>& places) {
  std::vector<fs::path> files;
  for (const auto& place : places) {
    if (!fs::is_directory(place)) {
      files.push_back(place);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(place)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    if (!file) {
      std::cerr << "cannot read " << path << '\n';
      std::exit(2);
    }
  }
  return seeds;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t mutations = 0;
  fs::path findings = ".";
  std::vector<fs::path> places;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--mutations" && i + 1 < argc) {
      mutations = std::stoul(argv[++i]);
    } else if (argument == "--findings" && i + 1 < argc) {
      findings = argv[++i];
    } else {
      places.emplace_back(argument);
    }
  }
  fs::create_directories(findings);
  finding_path = (findings / (fs::path(argv[0]).filename().string() + ".crash")).string();
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(number, on_signal);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(keep_finding);

  const auto seeds = read_seeds(places);
  if (seeds.empty()) {
    std::cerr << "no input; name files or folders of a corpus\n";
    return 2;
  }
  run("");
  for (const auto& seed : seeds) run(seed);
  Numbers numbers;
  for (std::size_t i = 0; i < mutations; ++i) {
    auto input = seeds[numbers.below(seeds.size())];
    for (auto times = 1 + numbers.below(6); times > 0; --times) mutate_once(input, seeds, numbers);
    run(std::move(input));
  }
  std::cout << seeds.size() << " seeds and " << mutations << " mutations, nothing found\n";
  return 0;
}
