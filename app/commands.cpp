#include "app/commands.h"

namespace uvic {

void add_train_command(CLI::App& app);
void add_sample_command(CLI::App& app);
void add_serve_command(CLI::App& app);
void add_data_command(CLI::App& app);
void add_encode_command(CLI::App& app);
void add_convert_command(CLI::App& app);
void add_bundle_command(CLI::App& app);
void add_info_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_fid_command(CLI::App& app);
void add_stats_command(CLI::App& app);
void add_loss_command(CLI::App& app);
void add_clip_score_command(CLI::App& app);
void add_lm_command(CLI::App& app);
void add_bench_command(CLI::App& app);

namespace {

constexpr AddCommand kCommands[] = {
    add_train_command,   add_sample_command, add_serve_command,      add_data_command,   add_encode_command,
    add_convert_command, add_bundle_command, add_info_command,       add_report_command, add_fid_command,
    add_stats_command,   add_loss_command,   add_clip_score_command, add_lm_command,     add_bench_command,
};

}  // namespace

std::span<const AddCommand> commands() {
  return kCommands;
}

}  // namespace uvic
