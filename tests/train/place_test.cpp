#include "train/place.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/temporary.h"

namespace uvic::place_test {
namespace {

using Variables = std::map<std::string, std::string>;

Place place_in(const Variables& variables) {
  return find_place([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

Variables with(Variables variables, const std::string& name, const std::string& value) {
  variables[name] = value;
  return variables;
}

Variables without(Variables variables, const std::string& name) {
  EXPECT_EQ(variables.erase(name), 1U);
  return variables;
}

const Variables kTorchrun{{"RANK", "5"},
                          {"WORLD_SIZE", "8"},
                          {"LOCAL_RANK", "1"},
                          {"MASTER_ADDR", "n01"},
                          {"MASTER_PORT", "1234"},
                          {"TORCHELASTIC_RESTART_COUNT", "2"},
                          {"TORCHELASTIC_USE_AGENT_STORE", "True"}};
const Variables kOpenMpi{{"OMPI_COMM_WORLD_RANK", "3"},
                         {"OMPI_COMM_WORLD_SIZE", "4"},
                         {"OMPI_COMM_WORLD_LOCAL_RANK", "3"},
                         {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}};
const Variables kSlurm{{"SLURM_PROCID", "6"},
                       {"SLURM_NTASKS", "8"},
                       {"SLURM_LOCALID", "2"},
                       {"SLURM_JOB_NODELIST", "n[01-03,7],m2"},
                       {"SLURM_JOB_ID", "4242"}};

TEST(Place, WithoutALauncherThereIsOneRank) {
  const Place place = place_in({{"MASTER_ADDR", "n01"}, {"LOCAL_RANK", "3"}, {"PATH", "/bin"}});
  EXPECT_EQ(place.rank, 0);
  EXPECT_EQ(place.size, 1);
  EXPECT_EQ(place.describe(), "rank 0 of 1");
}

TEST(Place, OfTorchrun) {
  const Place place = place_in(kTorchrun);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.restarts, 2);
  EXPECT_TRUE(place.launcher_has_store);
  EXPECT_EQ(place.name(), "rank 5 of 8");
  EXPECT_EQ(place.describe(), "rank 5 of 8 (torchrun), meeting at n01:1234");
  EXPECT_FALSE(place_in(without(kTorchrun, "TORCHELASTIC_USE_AGENT_STORE")).launcher_has_store);
  EXPECT_FALSE(place_in(with(kTorchrun, "TORCHELASTIC_USE_AGENT_STORE", "False")).launcher_has_store);
}

TEST(Place, OfKubernetesWhichCountsPods) {
  const Place place =
      place_in({{"RANK", "1"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "job-master-0"}, {"MASTER_PORT", "23456"}});
  EXPECT_EQ(place.local_rank, 0);
  EXPECT_EQ(place.describe(), "rank 1 of 2 (RANK and WORLD_SIZE), meeting at job-master-0:23456");
}

TEST(Place, OfOpenMpi) {
  EXPECT_EQ(place_in(kOpenMpi).describe(), "rank 3 of 4 (Open MPI), meeting at 127.0.0.1:29500");
  EXPECT_EQ(place_in(kOpenMpi).local_rank, 3);
  const Variables spread = with(kOpenMpi, "OMPI_COMM_WORLD_LOCAL_SIZE", "2");
  expect_mentions(error_of([&] { place_in(spread); }), {"MASTER_ADDR is missing", "mpirun -x MASTER_ADDR="});
  EXPECT_EQ(place_in(with(with(spread, "MASTER_ADDR", "n9"), "MASTER_PORT", "77")).describe(),
            "rank 3 of 4 (Open MPI), meeting at n9:77");
}

TEST(Place, OfSlurm) {
  const Place place = place_in(kSlurm);
  EXPECT_EQ(place.local_rank, 2);
  EXPECT_EQ(place.describe(), "rank 6 of 8 (Slurm), meeting at n01:19242");
  EXPECT_NE(place_in(with(kSlurm, "SLURM_JOB_ID", "4243")).port, place.port);
  EXPECT_NE(place_in(with(kSlurm, "SLURM_STEP_ID", "1")).port, place.port);  // two steps of a job at once
  EXPECT_EQ(place_in(with(kSlurm, "SLURM_STEP_NODELIST", "m2")).host, "m2");
  EXPECT_EQ(place_in(with(with(kSlurm, "MASTER_ADDR", "x"), "MASTER_PORT", "9")).describe(),
            "rank 6 of 8 (Slurm), meeting at x:9");
}

TEST(Place, OfSlurmsShellsAndSingleTasks) {
  EXPECT_EQ(place_in(without(kSlurm, "SLURM_PROCID")).size, 1);  // salloc
  const Variables shell = with(with(kSlurm, "SLURM_PROCID", "0"), "SLURM_STEP_NUM_TASKS", "1");
  EXPECT_EQ(place_in(shell).size, 1);  // the shell is a step of its own
  EXPECT_EQ(place_in({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}}).size, 1);
}

TEST(Place, TheFirstLauncherCounts) {
  Variables all = kSlurm;
  all.insert(kOpenMpi.begin(), kOpenMpi.end());
  EXPECT_EQ(place_in(all).launcher, "Open MPI");
  all.insert(kTorchrun.begin(), kTorchrun.end());
  EXPECT_EQ(place_in(all).launcher, "torchrun");
}

TEST(Place, HalfOfTheVariablesIsAnError) {
  const auto error = [](const Variables& variables) { return error_of([&] { place_in(variables); }); };
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"})
    expect_mentions(error(without(kTorchrun, name)), {fmt::format("variable {} is missing", name), "torchrun", "set "});
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"})
    expect_mentions(error(without(kOpenMpi, name)), {name, "is missing", "Open MPI"});
  for (const char* name : {"SLURM_NTASKS", "SLURM_JOB_NODELIST", "SLURM_JOB_ID"})
    expect_mentions(error(without(kSlurm, name)), {name, "is missing", "Slurm"});
  expect_mentions(error(with(kTorchrun, "WORLD_SIZE", "")), {"WORLD_SIZE is missing"});
}

TEST(Place, VariablesThatMakeNoSenseAreNamed) {
  const auto error = [](const char* name, const char* value) {
    return error_of([&] { place_in(with(kTorchrun, name, value)); });
  };
  for (const char* value : {"8", "9"})
    expect_mentions(error("RANK", value),
                    {fmt::format("RANK={} is not below WORLD_SIZE=8", value), "counts ranks from 0"});
  for (const char* value : {"one", "-1", "1x", " 1", "1.5", "99999999999999999999"})
    expect_mentions(error("RANK", value), {fmt::format("RANK='{}' is no number from 0", value), "unset it"});
  expect_mentions(error("WORLD_SIZE", "0"), {"WORLD_SIZE='0' is no number from 1"});
  for (const char* value : {"http", "0", "65536", "-3"})
    expect_mentions(error("MASTER_PORT", value), {"MASTER_PORT='", "from 1 to 65535"});
  expect_mentions(error("LOCAL_RANK", "x"), {"LOCAL_RANK='x'"});
}

TEST(Place, FirstOfSlurmsHosts) {
  const std::pair<const char*, const char*> known[] = {
      {"n1", "n1"},
      {"n[01-03,7],m2", "n01"},
      {"m2,n[01-03]", "m2"},
      {"gpu[7,9-12]", "gpu7"},
      {"r[2-3]n[04-05],x", "r2n04"},
      {"rack[1-2]-node.site", "rack1-node.site"},
      {"a-b-3", "a-b-3"},
  };
  for (const auto& [list, first] : known) EXPECT_EQ(first_slurm_host(list), first);
  for (const char* list : {"", "n[1-2", "n1]", "n[[1]]", ",n1"})
    expect_mentions(error_of([&] { first_slurm_host(list); }), {"no list of hosts", "MASTER_ADDR"});
}

TEST(Place, TheBuildIsNamed) {
  expect_mentions(this_build(), {"uvic ", ", LibTorch 2."});
}

}  // namespace
}  // namespace uvic::place_test
