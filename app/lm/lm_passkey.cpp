// uvic lm passkey
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>

#include "app/cli/checks.h"
#include "app/cli/results.h"
#include "app/lm/language_model_argument.h"
#include "app/lm/lm_commands.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "lm/passkey.h"
#include "lm/reader.h"

namespace uvic {
namespace {

constexpr uint64_t kTestSeed = 0x7e57;  // keys that no training run draws but by chance

// "4k" is 4,096; Error for what is no whole number.
int64_t parse_length(const std::string& text) {
  const bool kilo = text.ends_with('k');
  const std::string digits = kilo ? text.substr(0, text.size() - 1) : text;
  if (!is_number<uint64_t>(digits) || digits.size() > 9)
    fail("--lengths '{}': expected numbers of tokens such as 512,4k,260k", text);
  return std::stoll(digits) * (kilo ? 1024 : 1);
}

std::vector<int64_t> parse_lengths(const std::string& text) {
  std::vector<int64_t> lengths;
  for (const std::string& part : CLI::detail::split(text, ',')) lengths.push_back(parse_length(part));
  return lengths;
}

// Bytes of main memory that this process holds now.
int64_t resident_memory() {
  std::ifstream file("/proc/self/statm");
  int64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

// Wilson's 95 % interval of a share.
std::pair<double, double> wilson(int64_t hits, int64_t count) {
  constexpr double kZ = 1.96;
  const auto n = static_cast<double>(count), p = static_cast<double>(hits) / n;
  const double middle = p + kZ * kZ / (2 * n), half = kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  return {std::max(0.0, (middle - half) / (1 + kZ * kZ / n)), (middle + half) / (1 + kZ * kZ / n)};
}

struct LmPasskeyCommand {
  LanguageModelArgument model;
  std::string lengths = "1k,4k,16k,64k";
  int64_t keys = 100, batch = 10;

  void run() const {
    const std::vector<int64_t> all = parse_lengths(lengths);
    const LanguageModel lm = model.load();
    for (const int64_t length : all) PasskeyText(lm.card.tokenizer, length, kTestSeed, 0);
    for (const int64_t length : all) test(lm, length);
  }

  void test(const LanguageModel& lm, int64_t length) const {
    const at::NoGradGuard no_grad;
    Progress progress(fmt::format("passkey at {} tokens", length), keys * length, "token");
    const auto begin = std::chrono::steady_clock::now();
    int64_t hits = 0, memory = 0;
    for (int64_t first = 0; first < keys; first += batch) {
      const int64_t count = std::min(batch, keys - first);
      hits += right_answers(lm, length, first, count, [&](int64_t done) {
        progress.update((first + done) * length);
        stop_if_interrupted();
      });
      memory = std::max(memory, resident_memory());
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto [low, high] = wilson(hits, keys);
    const double rate = static_cast<double>(keys * length) / seconds;
    const double blocks =
        static_cast<double>(length) / static_cast<double>(std::max<int64_t>(1, lm.card.config.lm.block));
    print_result(
        {{"tokens", length},
         {"blocks", blocks},
         {"keys", keys},
         {"right", hits},
         {"accuracy", static_cast<double>(hits) / static_cast<double>(keys)},
         {"interval_95", {low, high}},
         {"resident_memory", memory},
         {"tokens_per_second", rate}},
        fmt::format("{:>8} tokens  {:>3} of {} right, 95 % interval {:.1f} to {:.1f} %  {:.0f} tokens a second, "
                    "{:.1f} MiB",
                    length, hits, keys, 100 * low, 100 * high, rate, static_cast<double>(memory) / (1 << 20)));
  }

  // How many of the keys first .. first + count - 1 come back, by the likeliest tokens.
  static int64_t right_answers(const LanguageModel& lm, int64_t length, int64_t first, int64_t count,
                               const std::function<void(int64_t done)>& on_progress) {
    std::vector<PasskeyText> texts;
    for (int64_t i = 0; i < count; ++i)
      texts.emplace_back(lm.card.tokenizer, length, kTestSeed, static_cast<uint64_t>(first + i));
    int64_t right = 0;
    // Texts of one length are read together; answers, and so questions, have up to five digits.
    std::map<int64_t, std::vector<const PasskeyText*>> groups;
    for (const PasskeyText& text : texts) groups[text.question_length()].push_back(&text);
    int64_t done = 0;
    for (const auto& [size, group] : groups) {
      right += right_of_group(lm, group);
      on_progress(done += std::ssize(group));
    }
    return right;
  }

  static int64_t right_of_group(const LanguageModel& lm, const std::vector<const PasskeyText*>& group) {
    const auto rows = std::ssize(group);
    const int64_t length = group.front()->question_length();
    Reader reader(lm.net, rows);
    constexpr int64_t kAtOnce =
        4096;  // tokens of all rows, in whole blocks, so that memory does not grow with the text
    const int64_t block = std::max<int64_t>(1, lm.net.config().memory.block);
    const int64_t step = std::max<int64_t>(1, kAtOnce / rows / block) * block;
    Tensor logits;
    for (int64_t begin = 0; begin < length; begin += step) {
      stop_if_interrupted();
      const int64_t count = std::min(step, length - begin);
      const Tensor piece = at::empty({rows, count}, at::kLong);
      int64_t* out = piece.data_ptr<int64_t>();
      for (const PasskeyText* text : group)
        for (int64_t i = begin; i < begin + count; ++i) *out++ = text->question(i);
      logits = reader.read(piece.to(lm.device)).select(1, -1);
    }
    std::vector<bool> right(group.size(), true);
    for (size_t i = 0; i < group.front()->answer().size(); ++i) {
      const Tensor next = logits.argmax(-1);
      for (int64_t row = 0; row < rows; ++row)
        if (next[row].item<int64_t>() != group[row]->answer()[i]) right[row] = false;
      logits = reader.read(next.unsqueeze(1)).select(1, -1);
    }
    return std::ranges::count(right, true);
  }
};

}  // namespace

void add_lm_passkey(CLI::App& lm) {
  CLI::App* sub = lm.add_subcommand("passkey", "does a model remember a number over a long text?");
  auto command = std::make_shared<LmPasskeyCommand>();
  command->model.add_options(*sub);
  sub->add_option("--lengths", command->lengths, "of the texts, in tokens; k: 1,024")
      ->check(taken_by([](const std::string& text) { parse_lengths(text); }))
      ->capture_default_str();
  sub->add_option("--num", command->keys, "keys per length")
      ->check(number<int64_t>())
      ->check(at_least(1))
      ->capture_default_str();
  sub->add_option("--batch", command->batch, "texts read at once")
      ->check(number<int64_t>())
      ->check(at_least(1))
      ->capture_default_str();
  sub->callback([command] { command->run(); });
}

}  // namespace uvic
