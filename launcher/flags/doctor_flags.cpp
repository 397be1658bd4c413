#include "launcher/flags/doctor_flags.h"

#include "launcher/flags/flag_groups.h"
#include "launcher/flags/flag_help.h"

namespace leco {
namespace {

std::vector<Flag> doctor_flags(DoctorFlags& flags) {
  std::vector<Flag> table;
  FlagGroup group(table, "Flags");
  TrainSettings& run = flags.run;
  group.works_aside("pretrained_model_name_or_path", text_form(run.pretrained_model_name_or_path, "MODEL"),
                    "the model of the run: is it there, readable and whole? Weights are not read");
  group.works_aside("output_dir", text_form(run.output_dir, "DIR"),
                    "the folder of the run: can files be kept there, and how much room is there?");
  group.works_aside("device",
                    choice_form(run.device, {{"auto", DeviceChoice::kAuto},
                                             {"cpu", DeviceChoice::kCpu},
                                             {"cuda", DeviceChoice::kCuda}}),
                    "as in leco train; with cuda a missing GPU is a failure");
  group.works_aside("json", switch_form(flags.json), "prints the checks as one JSON object");
  group.works_aside("help", switch_form(flags.help), "prints this list (also -h)");
  for (Flag& flag : table) flag.is_setting = false;
  return table;
}

}  // namespace

DoctorFlags parse_doctor_flags(std::span<const std::string> arguments) {
  DoctorFlags flags;
  const std::vector<Flag> table = doctor_flags(flags);
  apply_flags(table, parse_arguments(table, arguments));
  return flags;
}

std::string doctor_help() {
  return "leco doctor: checks ranks, GPUs, network, folder and model before a long run.\n"
         "Usage: mpirun -n 8 leco doctor [--pretrained_model_name_or_path=MODEL] \\\n"
         "         [--output_dir=DIR]        (srun --mpi=pmix likewise)\n"
         "Start it as the run will be started. Each line is ok, warning or failed, with\n"
         "what to do. Of several ranks the worst speaks. The status is 0, or 1 when a\n"
         "check failed.\n" +
         flags_as_help(listed_doctor_flags());
}

std::vector<Flag> listed_doctor_flags() {
  static DoctorFlags defaults;
  return doctor_flags(defaults);
}

}  // namespace leco
