// uvic: trains diffusion image models, samples images from them and scores them.
#include <ATen/Parallel.h>
#include <malloc.h>

#include <cstdio>
#include <filesystem>
#include <limits>
#include <new>

#include "app/commands.h"
#include "app/unexpected.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"

namespace {

constexpr int kExitError = 1, kExitUsage = 2;
constexpr const char* kNoMemory = "not enough memory: choose a smaller --batch, model or data set";

// Where nobody reads stderr any more, fmt::print would throw.
void complain(const std::string& what) {
  std::fputs(("error: " + what + "\n").c_str(), stderr);
}

int run(int argc, char** argv) {
  CLI::App app{"uvic trains diffusion image models (U-ViT and U-ViC), samples images from them and scores them.", "uvic"};
  app.set_version_flag("--version", UVIC_VERSION);
  app.require_subcommand(1);
  app.fallthrough();

  int threads = 0;
  uvic::Verbosity verbosity;
  app.add_option("--threads", threads, "CPU threads; 0: all cores")->check(CLI::Range(0, 4096));
  app.add_flag("--quiet", verbosity.quiet, "no progress and no log on stderr");
  app.add_flag("--json", verbosity.json, "results and progress as JSON lines");
  // Runs before the chosen command's own callback.
  app.parse_complete_callback([&] {
    if (threads > 0) at::set_num_threads(threads);
    uvic::set_verbosity(verbosity);
  });

  uvic::ExitCode exit_code = 0;
  uvic::add_train_command(app, exit_code);
  uvic::add_sample_command(app, exit_code);
  uvic::add_data_command(app, exit_code);
  uvic::add_encode_command(app, exit_code);
  uvic::add_convert_command(app);
  uvic::add_bundle_command(app);
  uvic::add_info_command(app);
  uvic::add_fid_command(app);
  uvic::add_stats_command(app);
  uvic::add_clip_score_command(app);
  uvic::add_bench_command(app);
  uvic::watch_interrupts();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // An argument may be missing because it is misspelt: then that is what to say.
    const bool is_about_words =
        dynamic_cast<const CLI::ExtrasError*>(&error) || dynamic_cast<const CLI::RequiredError*>(&error);
    if (const std::vector<std::string> words = app.remaining(true); is_about_words && !words.empty()) {
      app.exit(CLI::ExtrasError(uvic::unexpected(app, words), CLI::ExitCodes::ExtrasError));
      return kExitUsage;
    }
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  // The tensors of a step come and go with every step. Kept by malloc, their memory need not be mapped and cleared anew
  // each time, which takes a tenth of a small model's step.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  try {
    return run(argc, argv);
  } catch (const uvic::Interrupted&) {
    return uvic::kExitInterrupted;
  } catch (const uvic::Error& error) {
    complain(error.what());
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    const bool is_memory =
        dynamic_cast<const c10::OutOfMemoryError*>(&error) || what.find("can't allocate memory") != std::string::npos;
    if (is_memory)
      complain(kNoMemory);
    else
      complain(what + " (inside LibTorch)");
  } catch (const std::bad_alloc&) {
    complain(kNoMemory);
  } catch (const std::filesystem::filesystem_error& error) {
    complain(fmt::format("{}: {}", error.path1().string(), error.code().message()));
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::broken_pipe) complain(error.what());  // else whoever read stdout has gone
  } catch (const std::exception& error) {
    complain(error.what());
  }
  return kExitError;
}
