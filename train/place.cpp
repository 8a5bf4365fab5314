#include "train/place.h"

#include <elf.h>
#include <link.h>

#include <charconv>
#include <cstdlib>
#include <limits>

#include <torch/headeronly/version.h>

#include "core/error.h"

namespace uvic {
namespace {

constexpr uint16_t kUsualPort = 29500;  // torchrun's

int64_t parse_number(const std::string& name, const std::string& text, int64_t least, int64_t most) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
    fail(
        "the environment variable {}='{}' is no number from {} to {}: set it as the launcher of the ranks would, or "
        "unset it to run alone",
        name, text, least, most);
  return value;
}

// The variables of one launcher.
struct Variables {
  const GetVariable& get;
  std::string launcher;

  std::string needed(const char* name, const char* remedy) const {
    if (auto value = get(name); value && !value->empty()) return *value;
    fail("the environment variable {} is missing beside those of {}: {}", name, launcher, remedy);
  }
  int64_t number(const char* name, int64_t least, int64_t most) const {
    return parse_number(name, needed(name, "set all that it sets, or unset them to run alone"), least, most);
  }
  int64_t number_or(const char* name, int64_t otherwise) const {
    const auto value = get(name);
    return value ? parse_number(name, *value, 0, std::numeric_limits<int32_t>::max()) : otherwise;
  }

  Place place(const char* rank, const char* size) const {
    Place place{.size = number(size, 1, std::numeric_limits<int32_t>::max()), .launcher = launcher};
    place.rank = number(rank, 0, std::numeric_limits<int32_t>::max());
    if (place.rank >= place.size)
      fail("{}={} is not below {}={}: {} counts ranks from 0", rank, place.rank, size, place.size, launcher);
    return place;
  }
  uint16_t port(uint16_t otherwise) const {
    const auto value = get("MASTER_PORT");
    return value ? static_cast<uint16_t>(parse_number("MASTER_PORT", *value, 1, 65535)) : otherwise;
  }
};

// Kubernetes' operators set RANK and WORLD_SIZE too, but count pods and say nothing of a local rank.
Place from_torchrun(const GetVariable& get) {
  const Variables variables{get, get("UVIC_LAUNCHER").value_or(get("LOCAL_RANK") ? "torchrun" : "RANK and WORLD_SIZE")};
  Place place = variables.place("RANK", "WORLD_SIZE");
  place.local_rank = variables.number_or("LOCAL_RANK", 0);
  if (place.size == 1) return place;
  place.host = variables.needed("MASTER_ADDR", "set it to the host of rank 0");
  place.port = static_cast<uint16_t>(
      parse_number("MASTER_PORT", variables.needed("MASTER_PORT", "set it to a free port of that host"), 1, 65535));
  place.launcher_has_store = get("TORCHELASTIC_USE_AGENT_STORE").value_or("") == "True";
  place.restarts = variables.number_or("TORCHELASTIC_RESTART_COUNT", 0);
  return place;
}

Place from_open_mpi(const GetVariable& get) {
  const Variables variables{get, "Open MPI"};
  Place place = variables.place("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE");
  place.local_rank = variables.number_or("OMPI_COMM_WORLD_LOCAL_RANK", 0);
  if (place.size == 1) return place;
  const bool all_here = variables.number_or("OMPI_COMM_WORLD_LOCAL_SIZE", 0) == place.size;
  place.host = all_here ? get("MASTER_ADDR").value_or("127.0.0.1")
                        : variables.needed("MASTER_ADDR",
                                           "the ranks are on several machines, so pass the host of rank 0 on to all of "
                                           "them (mpirun -x MASTER_ADDR=HOST)");
  place.port = variables.port(kUsualPort);
  return place;
}

// A port that tells jobs and their steps apart, below those that systems give to connections.
uint16_t slurm_port(const Variables& variables) {
  constexpr int64_t kFirst = 15000, kPorts = 15000, kStepsApart = 97;
  const int64_t job = variables.number("SLURM_JOB_ID", 0, std::numeric_limits<int64_t>::max() / kStepsApart);
  const int64_t step = variables.number_or("SLURM_STEP_ID", 0);
  return static_cast<uint16_t>(kFirst + (job + kStepsApart * step) % kPorts);
}

Place from_slurm(const GetVariable& get) {
  const Variables variables{get, "Slurm"};
  // Of the step, not of the job, where Slurm tells them apart: the shell of an allocation is one process.
  const char* size = get("SLURM_STEP_NUM_TASKS") ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS";
  Place place = variables.place("SLURM_PROCID", size);
  place.local_rank = variables.number_or("SLURM_LOCALID", 0);
  if (place.size == 1) return place;
  if (const auto host = get("MASTER_ADDR")) {
    place.host = *host;
  } else {
    const char* list = get("SLURM_STEP_NODELIST") ? "SLURM_STEP_NODELIST" : "SLURM_JOB_NODELIST";
    place.host = first_slurm_host(variables.needed(list, "start the ranks with srun, or set MASTER_ADDR"));
  }
  place.port = get("MASTER_PORT") ? variables.port(0) : slurm_port(variables);
  return place;
}

int find_build_id(dl_phdr_info* program, size_t, void* result) {
  auto& id = *static_cast<std::string*>(result);
  for (int i = 0; i < program->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = program->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const char* at = reinterpret_cast<const char*>(program->dlpi_addr + header.p_vaddr);
    const char* end = at + header.p_memsz;
    const auto padded = [](size_t bytes) { return (bytes + 3) / 4 * 4; };
    while (at + sizeof(ElfW(Nhdr)) < end) {
      const auto& note = *reinterpret_cast<const ElfW(Nhdr)*>(at);
      const char* bytes = at + sizeof(note) + padded(note.n_namesz);
      if (note.n_type == NT_GNU_BUILD_ID)
        for (size_t b = 0; b < note.n_descsz && b < 6; ++b) id += fmt::format("{:02x}", bytes[b] & 0xff);
      at = bytes + padded(note.n_descsz);
    }
  }
  return 1;  // the first is the program itself
}

}  // namespace

std::string this_build() {
  std::string id;
  dl_iterate_phdr(find_build_id, &id);
  return fmt::format("uvic {}, LibTorch {}.{}.{}{}{}", UVIC_VERSION, TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR,
                     TORCH_VERSION_PATCH, id.empty() ? "" : ", build ", id);
}

std::string Place::name() const {
  return fmt::format("rank {} of {}", rank, size);
}

std::string Place::describe() const {
  std::string text = name();
  if (!launcher.empty()) text += fmt::format(" ({})", launcher);
  if (size > 1) text += fmt::format(", meeting at {}:{}", host, port);
  return text;
}

Place find_place(const GetVariable& variable) {
  if (variable("RANK") || variable("WORLD_SIZE")) return from_torchrun(variable);
  if (variable("OMPI_COMM_WORLD_RANK") || variable("OMPI_COMM_WORLD_SIZE")) return from_open_mpi(variable);
  if (variable("SLURM_PROCID")) return from_slurm(variable);  // which the shell of an allocation has not
  return {};
}

Place find_place() {
  return find_place([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value ? std::optional<std::string>(value) : std::nullopt;
  });
}

std::string first_slurm_host(std::string_view list) {
  std::string host;
  bool in_range = false, taken = false;
  for (const char c : list) {
    if (!in_range && c == ',') break;
    if (c == '[' || c == ']') {
      if (in_range == (c == '[')) fail("'{}' is no list of hosts as Slurm writes them: set MASTER_ADDR", list);
      in_range = c == '[';
      taken = false;
    } else if (in_range && (c == '-' || c == ',')) {
      taken = true;  // the first number of the range
    } else if (!taken) {
      host += c;
    }
  }
  if (host.empty() || in_range) fail("'{}' is no list of hosts as Slurm writes them: set MASTER_ADDR", list);
  return host;
}

}  // namespace uvic
