#include "launcher/flags/drawing_flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace leco {
namespace {

constexpr int64_t kPixelsPerLatent = 8;
constexpr IntegerRange kSides = {8, 8192};
constexpr int64_t kMostThreads = 4096;
constexpr size_t kMostScales = 64;

void join_lists(std::vector<Given>& all) {
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].kind != ValueKind::kWords) continue;
    for (size_t j = i + 1; j < all.size();) {
      if (all[j].name != all[i].name) {
        ++j;
        continue;
      }
      all[i].words.insert(all[i].words.end(), all[j].words.begin(), all[j].words.end());
      all.erase(all.begin() + static_cast<std::ptrdiff_t>(j));
    }
  }
}

}  // namespace

Form texts_form(std::vector<std::string>& target, std::string metavar) {
  Form form;
  form.kind = ValueKind::kWords;
  form.metavar = std::move(metavar) + " …";
  form.set = [&target](const Given& given) {
    target = given.words;
    return std::string();
  };
  form.show = [&target] { return fmt::format("{}", fmt::join(target, " ")); };
  return form;
}

Form scales_form(std::vector<double>& target) {
  Form form;
  form.metavar = "X,X,…";
  form.set = [&target](const Given& given) {
    target.clear();
    std::string_view rest = given.word();
    for (size_t comma = 0; comma != std::string_view::npos; rest.remove_prefix(comma + 1)) {
      comma = rest.find(',');
      target.push_back(number_in(given, rest.substr(0, comma), {}));
      if (comma == std::string_view::npos) break;
    }
    if (target.size() > kMostScales) refuse_value(given, fmt::format("at most {} numbers", kMostScales));
    return std::string();
  };
  form.show = [&target] { return fmt::format("{}", fmt::join(target, ",")); };
  return form;
}

Form side_form(std::optional<int64_t>& target, std::string unset) {
  Form form = integer_form(target, kSides, std::move(unset));
  form.set = [&target, set = form.set](const Given& given) {
    std::string line = set(given);
    if (*target % kPixelsPerLatent != 0)
      refuse_value(given, fmt::format("a multiple of {}, which is what the VAE draws", kPixelsPerLatent));
    return line;
  };
  return form;
}

std::optional<std::vector<Given>> apply_drawing_flags(std::span<const Flag> table,
                                                      std::span<const std::string> arguments) {
  std::vector<Given> given = parse_arguments(table, arguments);
  join_lists(given);
  if (const Given* help = find_given(given, "help"); help && help->word() == "true") return std::nullopt;
  apply_flags(table, given);
  return given;
}

void add_drawn_model(FlagGroup& group, TrainSettings& model, std::string& vae) {
  group.works("pretrained_model_name_or_path", text_form(model.pretrained_model_name_or_path, "MODEL"),
              "required: a Diffusers folder, a .safetensors or .ckpt file, or a hub id in the local cache");
  group.works("v2", switch_form(model.v2), "checks that the model is of Stable Diffusion 2.x");
  group.works("v_parameterization", switch_form(model.v_parameterization),
              "the model predicts v; checked where its files say so themselves");
  group.works("vae", text_form(vae, "PATH"), "another VAE than the model's own");
  group.works("clip_skip", integer_form(model.clip_skip, {.lowest = 1}, "none"),
              "takes the text encoder's N-th layer from the end");
  group.works("max_token_length", integer_choice_form(model.max_token_length, {75, 150, 225}),
              "prompt tokens that are read, in chunks of 75");
  group.works("tokenizer_cache_dir", text_form(model.tokenizer_cache_dir, "DIR"),
              "a folder of tokenizers for single files; without it they take the built-in one");
}

void add_machine(FlagGroup& group, TrainSettings& model) {
  group.works_aside("device",
                    choice_form(model.device, {{"auto", DeviceChoice::kAuto},
                                               {"cpu", DeviceChoice::kCpu},
                                               {"cuda", DeviceChoice::kCuda}}),
                    "auto takes the rank's own GPU where there is one, else the CPU");
  group.works_aside(
      "threads",
      integer_form(model.threads, {1, kMostThreads}, "OMP_NUM_THREADS, else the node's cores / its ranks"),
      "CPU threads of a rank");
}

void require_flag(bool is_given, std::string_view flag, std::string_view what) {
  if (!is_given) throw_usage(fmt::format("--{} is missing: give {}, --{}=…", flag, what, flag));
}

void check_sample_steps(int64_t steps, SamplerKind sampler) {
  if (const int64_t most = most_sampler_steps(sampler, kSamplingOffset); steps > most)
    throw_usage(fmt::format("--sample_steps={}: expected at most {} with --sample_sampler={}", steps, most,
                            sampler_name(sampler)));
}

}  // namespace leco
