// One function per command: it adds the sub-command with its options and what to run when it is chosen.
#pragma once

#include <CLI/CLI.hpp>

namespace uvic {

// Set by the chosen command, returned by main.
using ExitCode = int;

void add_train_command(CLI::App& app);
void add_sample_command(CLI::App& app, ExitCode& exit_code);
void add_fid_command(CLI::App& app);
void add_stats_command(CLI::App& app);
void add_clip_score_command(CLI::App& app);
void add_data_command(CLI::App& app, ExitCode& exit_code);
void add_encode_command(CLI::App& app, ExitCode& exit_code);
void add_convert_command(CLI::App& app);
void add_bundle_command(CLI::App& app);
void add_info_command(CLI::App& app);
void add_bench_command(CLI::App& app);

}  // namespace uvic
