// Rows of the flag table: output files, states, logs, preview images, uploads, the file of flags.
#include <fmt/format.h>

#include "core/error.h"
#include "launcher/flags/flag_groups.h"

namespace leco {
namespace {

const std::string kNoEpochs = "an epoch is a pass over images, and LECO has none; ";

// 0 is off, as in sd-scripts; it is kept as "not given", so that nobody divides by it.
Form interval_form(std::optional<int64_t>& target) {
  Form form = integer_form(target, {0}, "off");
  form.set = [&target, set = form.set](const Given& given) {
    std::string line = set(given);
    if (target == 0) target.reset();
    return line;
  };
  return form;
}

void add_state_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "States and resuming");
  group.works_aside(
      "save_state", switch_form(settings.save_state),
      "with every LoRA file also saves a state, from which --resume goes on; a signal always does");
  group.works_aside("save_state_on_train_end", switch_form(settings.save_state_on_train_end),
                    "also saves a state at the end");
  group.works_aside("save_last_n_steps_state", interval_form(settings.save_last_n_steps_state),
                    "states older than N steps are removed when a newer one is there; where it is off, "
                    "save_last_n_steps says so for states too");
  group.works_aside(
      "resume", text_form(settings.resume, "DIR|auto"),
      "goes on from a state's folder; auto takes the newest complete one of this output_name in "
      "output_dir, or starts anew where there is none");
  group.refused("save_last_n_epochs_state", unbound_form(ValueKind::kInteger),
                kNoEpochs + "use --save_last_n_steps_state");
}

// sd-scripts' words; what speaks to a network service is refused.
Form log_with_form(bool& with_tensorboard) {
  Form form = unbound_form(ValueKind::kText, "", "tensorboard");
  form.set = [&with_tensorboard](const Given& given) {
    if (given.word() == "wandb" || given.word() == "all")
      throw_usage(fmt::format(
          "{}: no network service is spoken to, so there is no wandb; --log_with=tensorboard has the "
          "same figures",
          given.text()));
    if (given.word() != "tensorboard" && !given.word().empty()) refuse_value(given, "tensorboard");
    with_tensorboard = given.word() == "tensorboard";
    return std::string();
  };
  form.show = [&with_tensorboard] { return std::string(with_tensorboard ? "tensorboard" : ""); };
  return form;
}

void add_log_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Logs");
  LogSettings& log = settings.log;
  group.works_aside("logging_dir", text_form(log.logging_dir, "DIR"),
                    "where TensorBoard's event files go, each run into a folder named by its start");
  group.works_aside("log_with", log_with_form(log.with_tensorboard),
                    "writes event files for TensorBoard; so does logging_dir alone");
  group.works_aside("log_prefix", text_form(log.prefix, "TEXT"),
                    "starts the name of the run's folder in logging_dir");
  group.works_aside("log_tracker_name", text_form(log.tracker_name, "NAME"),
                    "the folder within the run's folder");
  group.works_aside("log_config", switch_form(log.config), "puts the settings into the event files too");
  group.works_aside("console_log_level",
                    choice_form(settings.console_log_level, {{"DEBUG", log::Level::kDebug},
                                                             {"INFO", log::Level::kInfo},
                                                             {"WARNING", log::Level::kWarning},
                                                             {"ERROR", log::Level::kError},
                                                             {"CRITICAL", log::Level::kError}}),
                    "the least that is logged; errors always are, so CRITICAL is ERROR");
  group.works_aside(
      "console_log_file", text_form(settings.console_log_file, "FILE"),
      "rank 0 logs into this file instead of to stderr, over what it held; errors stand on stderr too");
  group.works_aside("console_log_simple", switch_form(settings.console_log_simple),
                    "logs without time and level");
  const std::string no_service = "no network service is spoken to; the metrics file has the figures";
  group.refused("log_tracker_config", unbound_form(ValueKind::kText, "", "FILE"),
                "it sets up Python's trackers, wandb above all; " + no_service);
  group.refused("wandb_run_name", unbound_form(ValueKind::kText, "", "NAME"), no_service);
  group.refused("wandb_api_key", unbound_form(ValueKind::kText, "", "KEY"), no_service);
  table.back().is_secret = true;
}

void add_preview_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Preview images");
  PreviewSettings& preview = settings.preview;
  group.works_aside("sample_every_n_steps", interval_form(preview.every_n_steps),
                    "draws sample_prompts every N steps, at scales -1, 0 and 1; 0 is off");
  group.works_aside("sample_at_first", switch_form(preview.at_first), "draws them before the first step too");
  group.works_aside("sample_prompts", text_form(preview.prompts, "FILE"),
                    "what to draw: .txt, .toml or .json, with sd-scripts' options, and --m for the scales");
  group.works_aside("sample_sampler", choice_form(preview.sampler, sampler_names()),
                    "the sampler to draw with");
  group.refused("sample_every_n_epochs", unbound_form(ValueKind::kInteger),
                kNoEpochs + "use --sample_every_n_steps");
}

void add_upload_flags(std::vector<Flag>& table) {
  FlagGroup group(table, "Uploads");
  const std::string upload = "no network service is spoken to; upload the finished file yourself";
  for (const char* name : {"huggingface_repo_id", "huggingface_repo_type", "huggingface_path_in_repo",
                           "huggingface_token", "huggingface_repo_visibility"}) {
    group.refused(name, unbound_form(ValueKind::kText, "", "TEXT"), upload);
    table.back().is_secret = name == std::string("huggingface_token");
  }
  group.refused("async_upload", unbound_form(ValueKind::kSwitch), upload);
  group.refused("save_state_to_huggingface", unbound_form(ValueKind::kSwitch), upload);
  group.refused("resume_from_huggingface", unbound_form(ValueKind::kSwitch),
                "no network service is spoken to; bring the files to this machine first");
}

}  // namespace

void add_file_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Output");
  group.works_aside("output_dir", text_form(settings.output_dir, "DIR"),
                    "required: the folder for the LoRA and the files beside it; made where it is missing");
  group.works_aside("output_name", text_form(settings.output_name, "NAME"),
                    "what the files' names start with");
  group.works("save_model_as",
              choice_form(settings.save_model_as, {{"safetensors", SaveFormat::kSafetensors},
                                                   {"ckpt", SaveFormat::kCkpt},
                                                   {"pt", SaveFormat::kPt}}),
              "the kind of LoRA file; ckpt and pt are torch's, without metadata");
  group.works("save_precision",
              choice_form(settings.save_precision, {{"float", SavePrecision::kFloat32},
                                                    {"fp16", SavePrecision::kFloat16},
                                                    {"bf16", SavePrecision::kBFloat16}}),
              "the type of the file's weights; while training they are float32");
  group.works_aside("save_every_n_steps", interval_form(settings.save_every_n_steps),
                    "also saves the LoRA every N steps; 0 is off");
  group.works_aside(
      "save_last_n_steps", interval_form(settings.save_last_n_steps),
      "when a file of --save_every_n_steps is saved, this run's files more than N steps older are "
      "removed; 0 is off");
  group.refused("save_every_n_epochs", unbound_form(ValueKind::kInteger),
                kNoEpochs + "use --save_every_n_steps");
  group.refused("save_n_epoch_ratio", unbound_form(ValueKind::kInteger),
                kNoEpochs + "use --save_every_n_steps");
  group.refused("save_last_n_epochs", unbound_form(ValueKind::kInteger),
                kNoEpochs + "use --save_last_n_steps");
  group.works_aside("no_metadata", switch_form(settings.no_metadata),
                    "writes no metadata into the LoRA file");
  group.works_aside("training_comment", text_form(settings.training_comment, "TEXT"),
                    "a remark for the file's metadata (ss_training_comment)");
  add_state_flags(settings, table);
  add_log_flags(settings, table);
  add_preview_flags(settings, table);
  add_upload_flags(table);
}

}  // namespace leco
