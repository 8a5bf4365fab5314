// uvic: trains diffusion image models, samples images from them and scores them.
#include <ATen/Parallel.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <new>
#include <sstream>
#include <system_error>

#include "app/cli/help.h"
#include "app/cli/unexpected.h"
#include "app/commands.h"
#include "app/world/local_ranks.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/text.h"

namespace {

constexpr const char* kNoMemory = "not enough memory: choose a smaller --batch, model or data set";

void usage_error(const std::string& what) {
  if (uvic::verbosity().json) return uvic::error_line(what);
  std::fputs((uvic::one_line(what) + "\nRun with --help for more information.\n").c_str(), stderr);
}

int run(int argc, char** argv) {
  CLI::App app{"uvic trains diffusion image models (U-ViT and U-ViC), samples images from them and scores them.",
               "uvic"};
  app.formatter_fn(uvic::format_help);
  app.set_version_flag("--version", UVIC_VERSION);
  app.require_subcommand(1);
  app.fallthrough();

  int threads = 0;
  uvic::Verbosity verbosity;
  uvic::set_verbosity(
      {.json = std::find(argv, argv + argc, std::string_view("--json")) != argv + argc});  // of its errors
  app.add_option("--threads", threads, "CPU threads; 0: all cores")->check(CLI::Range(0, 4096));
  app.add_flag("--quiet", verbosity.quiet, "no progress and no log on stderr");
  app.add_flag("--json", verbosity.json, "results and progress as JSON lines");
  // Runs before the chosen command's own callback.
  app.parse_complete_callback([&] {
    if (threads > 0) at::set_num_threads(threads);
    uvic::set_verbosity(verbosity);
  });

  for (const uvic::AddCommand add : uvic::commands()) add(app);
  uvic::watch_interrupts();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      std::ostringstream text;
      app.exit(error, text);
      fmt::print("{}", text.str());
      return 0;
    }
    // An argument may be missing because it is misspelt: then that is what to say.
    const bool is_about_words =
        dynamic_cast<const CLI::ExtrasError*>(&error) || dynamic_cast<const CLI::RequiredError*>(&error);
    const std::vector<std::string> words = app.remaining(true);
    usage_error(is_about_words && !words.empty() ? uvic::unexpected(app, words) : error.what());
    return uvic::kExitUsage;
  }
  return 0;
}

// A file that is opened must not become the standard output of a program that was started without one.
void open_standard_files() {
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(file, F_GETFD) >= 0) continue;
    const int mode = file == STDERR_FILENO ? O_WRONLY : O_RDONLY;  // results that nobody gets are an error
    if (::open("/dev/null", mode) != file) std::_Exit(uvic::kExitError);
  }
}

// That the reader of the results has seen enough (`| head`) is nothing to speak of.
int output_failed(int error) {
  if (error == EPIPE) return uvic::kExitSignal + SIGPIPE;
  uvic::error_line(error == 0 ? "cannot write to standard output"
                              : fmt::format("cannot write to standard output: {}", std::strerror(error)));
  return uvic::kExitError;
}

// The exit code, once it is said what is wrong.
int run_and_say(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const uvic::Interrupted&) {
    return uvic::kExitInterrupted;
  } catch (const uvic::RanksEnded& ended) {
    return ended.exit_code;
  } catch (const uvic::Error& error) {
    uvic::error_line(error.what());
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    const bool is_memory =
        dynamic_cast<const c10::OutOfMemoryError*>(&error) || what.find("can't allocate memory") != std::string::npos;
    uvic::error_line(is_memory ? kNoMemory : what + " (inside LibTorch)");
  } catch (const std::bad_alloc&) {
    uvic::error_line(kNoMemory);
  } catch (const std::filesystem::filesystem_error& error) {
    uvic::error_line(fmt::format("{}: {}", error.path1().string(), error.code().message()));
  } catch (const std::system_error& error) {
    if (std::ferror(stdout)) return output_failed(error.code().value());
    uvic::error_line(error.what());
  } catch (const std::exception& error) {
    uvic::error_line(error.what());
  }
  return uvic::kExitError;
}

int close_output(int exit_code) {
  const bool failed = std::ferror(stdout);
  errno = 0;
  if ((std::fclose(stdout) == 0 && !failed) || exit_code != 0) return exit_code;
  return output_failed(errno);
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_files();
  // The tensors of a step come and go with every step. Kept by malloc, their memory need not be mapped and cleared anew
  // each time, which takes a tenth of a small model's step.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  return close_output(run_and_say(argc, argv));
}
