#include "app/training/resume.h"

#include "app/cli/checks.h"
#include "app/model/language_model.h"
#include "app/model/model.h"
#include "core/files.h"
#include "core/progress.h"

namespace uvic {
namespace {

constexpr const char* kConfigFile = "config.toml";

struct ConfigCopy {
  std::string text, origin;  // empty: there is none
};

ConfigCopy copy_in_checkpoint(const RunFolder& run) {
  if (!run.has_checkpoint()) return {};
  const Checkpoint checkpoint = run.load_latest();
  for (const char* entry : {ModelCard::kConfigEntry, LmCard::kConfigEntry})
    if (const auto found = checkpoint.model.metadata.find(entry); found != checkpoint.model.metadata.end())
      return {found->second, fmt::format("checkpoint-{} of {}", checkpoint.step, run.path().string())};
  return {};
}

// What is wrong with the text, whose good keys are given to the options; empty: nothing.
std::string apply_what_is_good(ConfigOptions& options, const std::string& text, const std::string& file) {
  try {
    options.apply_toml(text, file);
    const std::vector<std::string> missing = options.missing_keys(text, file);
    return missing.empty() ? "" : fmt::format("{} is cut short or damaged: it lacks {}", file, missing.front());
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

void apply_run_config(ConfigOptions& options, const RunFolder& run) {
  const std::string file = (run.path() / kConfigFile).string();
  std::string text = read_file(file, "run config");
  // Half a number would be a number too.
  if (!text.ends_with('\n') && !text.ends_with('"')) text.erase(text.rfind('\n') + 1);
  const std::string damage = apply_what_is_good(options, text, file);
  if (damage.empty()) return;
  const ConfigCopy copy = copy_in_checkpoint(run);
  if (copy.text.empty()) fail("{}, and no checkpoint holds a copy: mend the file, or start a new run", damage);
  options.apply_toml(copy.text, copy.origin);
  // A run of an older uvic lacks the keys that came later, in both.
  if (options.missing_keys(copy.text, copy.origin).empty())
    warn(fmt::format("{}; the copy in {} takes its place", damage, copy.origin));
}

bool trains_language_model(const RunFolder& run) {
  const std::string text = read_file(run.path() / kConfigFile, "run config");
  return text.starts_with("[lm]\n") || text.find("\n[lm]\n") != std::string::npos;
}

at::Device device_of_run(const RunFolder& run) {
  const fs::path file = run.path() / kDeviceFile;
  if (!fs::exists(file)) return parse_device("cpu");
  std::string name = read_file(file, "device of the run");
  if (name.ends_with('\n')) name.pop_back();
  if (const std::string wrong = device_name()(name); !wrong.empty()) fail("{}: {}", file.string(), wrong);
  try {
    return parse_device(name);
  } catch (const Error& error) {
    fail("{}. The run was trained on {}: go on with it elsewhere with --device cpu or cuda:N", error.what(), name);
  }
}

void expect_same_meaning(const RunFolder& run, const Checkpoint& checkpoint, const RunConfig& config,
                         const TrainingSource& source) {
  const std::string origin = fmt::format("checkpoint-{} of {}", checkpoint.step, run.path().string());
  const auto card = ModelCard::from_metadata(checkpoint.model.metadata, origin);
  if (!card) return;
  if (const auto change = change_of_meaning<RunOptions>(card->config, config))
    fail(
        "{0} was trained with {1} {2}, which cannot become {3}: leave out --{1} (or mend config.toml), or start a new "
        "run",
        origin, change->key, change->before, change->after);
  // Classes and words come from the data again, and their numbers must mean what they meant.
  const auto text = [](const std::optional<Vocabulary>& words) { return words ? words->to_text() : ""; };
  if (config.model.classes > 0 && card->classes != source.classes)
    fail("the classes of {} are not those this run was trained on: their names differ", config.data.spec);
  if (text(card->vocabulary) != text(source.vocabulary))
    fail("the captions of {} are not those this run was trained on: their words differ", config.data.spec);
  if (card->text_encoder != source.text_encoder)
    fail("'{}' is not the text encoder this run was trained with, {}: give the folder of that with --data.text_encoder",
         config.data.text_encoder, card->config.data.text_encoder);
}

}  // namespace uvic
