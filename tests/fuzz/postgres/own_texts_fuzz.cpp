// The texts of operators and of their answers: a statement, a range of versions, a point in time, a span, an array.
#include "agent/sources/postgres/custom/statement.hpp"
#include "agent/sources/postgres/custom/versions.hpp"
#include "agent/sources/postgres/rows_to_histogram.hpp"
#include "agent/sources/postgres/typed_value.hpp"

#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace midst::sources;

/// What is one statement stays so, alone and with something behind it.
void try_statement(std::string_view text) {
  const auto statement = single_statement(text);
  if (!statement) return;
  const auto again = single_statement(*statement);
  if (!again || *again != *statement) std::abort();
  if (single_statement(*statement + "\n;SELECT 1")) std::abort();
}

void try_range(std::string_view text) {
  const auto ranges = parse_semantic_range(text);
  if (!ranges) return;
  int end = -1;
  for (const auto& range : *ranges) {
    if (range.from <= end || range.from >= range.before) std::abort();
    end = range.before;
  }
}

void try_values(std::string_view text) {
  if (const auto time = parse_timestamp(text); time && std::isnan(*time)) std::abort();
  if (const auto span = parse_span(text); span && std::isnan(*span)) std::abort();
  if (const auto numbers = parse_number_array(text); numbers && numbers->size() > max_array_elements) std::abort();
  const auto histogram = parse_histogram({text, text, "1", "1"}, 1);
  if (histogram && histogram->bounds.size() != histogram->cumulative.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try_statement(text);
  try_range(text);
  try_values(text);
  return 0;
}
