#include "datasets/text_documents.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "core/error.h"
#include "core/formats/gzip.h"
#include "core/formats/json_file.h"
#include "core/text_file.h"

namespace uvic {
namespace {

constexpr size_t kMostText = size_t{64} << 30;  // bytes, unpacked

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

template <class F>  // of (line without its end, number from 1)
void each_line(std::string_view text, F function) {
  for (size_t begin = 0, number = 1; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    function(line, number);
    begin = end + 1;
  }
}

using Texts = std::vector<std::string>;

Texts lines_of(std::string_view text, const std::string&) {
  Texts texts;
  each_line(text, [&](std::string_view line, size_t) {
    if (!is_blank(line)) texts.emplace_back(line);
  });
  return texts;
}

Texts paragraphs_of(std::string_view text, const std::string&) {
  Texts texts;
  bool open = false;
  each_line(text, [&](std::string_view line, size_t) {
    if (is_blank(line)) {
      open = false;
    } else if (open) {
      texts.back().append("\n").append(line);
    } else {
      texts.emplace_back(line);
      open = true;
    }
  });
  return texts;
}

Texts whole(std::string_view text, const std::string&) {
  return is_blank(text) ? Texts() : Texts{std::string(text)};
}

Texts json_lines(std::string_view text, const std::string& file) {
  Texts texts;
  each_line(text, [&](std::string_view line, size_t number) {
    if (is_blank(line)) return;
    const std::string origin = fmt::format("{}, line {}", file, number);
    const std::string document = json_string(parse_json(std::string(line), origin), "text", origin);
    if (!is_blank(document)) texts.push_back(document);
  });
  return texts;
}

using Split = Texts (*)(std::string_view text, const std::string& file);
constexpr std::array<std::pair<std::string_view, Split>, 3> kSplits = {{
    {"line", lines_of},
    {"paragraph", paragraphs_of},
    {"file", whole},
}};

Split split_of(const Spec& spec, bool is_json) {
  const std::string documents = spec.get("documents", is_json ? "json" : "line");
  if (is_json) {
    if (spec.options.contains("documents"))
      fail("data '{}': a line of JSON is a document: leave out documents=", spec.text());
    return json_lines;
  }
  for (const auto& [name, split] : kSplits)
    if (name == documents) return split;
  fail("data '{}': documents={} is none of line, paragraph, file", spec.text(), documents);
}

// The documents from..to of so many.
std::pair<size_t, size_t> part_of(const Spec& spec, size_t count) {
  const auto number = [&](const char* option) {
    const int64_t value = spec.get_int(option, 0);
    if (spec.options.contains(option) && value < 1) fail("data '{}': {} is at least 1", spec.text(), option);
    return static_cast<size_t>(value);
  };
  const size_t limit = number("limit"), last = number("last"), but_last = number("but_last");
  if (last > 0 && but_last > 0) fail("data '{}' gives both last= and but_last=", spec.text());
  if (std::max(last, but_last + 1) > count)
    fail("data '{}' has {} documents: last= and but_last= leave none", spec.text(), count);
  const size_t begin = last > 0 ? count - last : 0, end = count - but_last;
  return {begin, limit > 0 ? std::min(end, begin + limit) : end};
}

}  // namespace

TextDocuments open_text(const Spec& spec) {
  if (spec.kind != "text")
    fail("data '{}' is no text: expected text:FILE, e.g. text:captions.txt.gz?but_last=2000", spec.text());
  for (const auto& [name, value] : spec.options)
    if (name != "documents" && name != "limit" && name != "last" && name != "but_last")
      fail("data '{}': unknown option '{}': expected one of documents, limit, last, but_last", spec.text(), name);
  std::string name = std::filesystem::path(spec.path).filename().string();
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  const Split split = split_of(spec, name.ends_with(".jsonl"));
  const std::string bytes = read_gzip(spec.path, "text", kMostText);
  Texts texts = split(as_text(bytes, spec.path), spec.path);
  if (texts.empty()) fail("'{}' holds no text", spec.path);
  const auto [begin, end] = part_of(spec, texts.size());
  texts = Texts(std::move_iterator(texts.begin() + static_cast<std::ptrdiff_t>(begin)),
                std::move_iterator(texts.begin() + static_cast<std::ptrdiff_t>(end)));
  size_t size = 0;
  for (const std::string& text : texts) size += text.size();
  return {.texts = std::move(texts),
          .description = fmt::format("{}: {} documents, {:.2f} MB of text", spec.text(), end - begin,
                                     static_cast<double>(size) / 1e6)};
}

}  // namespace uvic
