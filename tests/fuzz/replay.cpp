// What the test suite runs of a fuzz target, without libFuzzer: every file of its corpus, and a fixed sequence of
// broken ones made from them, under whatever sanitizers the build has. The same inputs every time.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr int mutants_per_file = 300;
constexpr std::size_t most_bytes = 64 * 1024;  // of an input, so that a round stays short

std::vector<Input> corpus_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Input> inputs;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

/// One step away from `input`: a byte changed, a piece cut out, a piece doubled, or the tail of another file.
Input mutant_of(Input input, const std::vector<Input>& corpus, std::mt19937& random) {
  if (input.empty()) return {static_cast<std::uint8_t>(random())};
  const auto begin = random() % input.size();
  const auto end = begin + random() % std::min<std::size_t>(input.size() - begin + 1, 64);
  const auto at = [&](std::size_t index) { return input.begin() + static_cast<std::ptrdiff_t>(index); };
  switch (random() % 5) {
    case 0:
      input[begin] = static_cast<std::uint8_t>(random());
      break;
    case 1:
      input[begin] = static_cast<std::uint8_t>("0123456789-:=,*$\r\n \xff"[random() % 20]);
      break;
    case 2:
      input.erase(at(begin), at(end));
      break;
    case 3: {
      const Input piece(at(begin), at(end));
      input.insert(at(begin), piece.begin(), piece.end());
      break;
    }
    default: {
      const auto& other = corpus[random() % corpus.size()];
      input.resize(begin);
      const auto skipped = static_cast<std::ptrdiff_t>(other.empty() ? 0 : random() % other.size());
      input.insert(input.end(), other.begin() + skipped, other.end());
    }
  }
  if (input.size() > most_bytes) input.resize(most_bytes);
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  const auto corpus = corpus_of(argv[1]);
  std::mt19937 random(20'260'701);
  std::size_t runs = 0;
  for (const auto& seed : corpus) {
    Input input = seed;
    LLVMFuzzerTestOneInput(input.data(), input.size());
    for (int i = 0; i < mutants_per_file; ++i, ++runs) {
      // Mistakes add up for a while, then the file starts afresh.
      input = mutant_of(i % 8 == 0 ? seed : std::move(input), corpus, random);
      LLVMFuzzerTestOneInput(input.data(), input.size());
    }
  }
  std::cout << corpus.size() << " files, " << runs << " mutants\n";
  return corpus.empty() ? 1 : 0;
}
