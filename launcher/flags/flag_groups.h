// The parts of the flag table, and the words its rows are written in.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/settings.h"
#include "launcher/flags/flag_parser.h"
#include "launcher/flags/flag_values.h"

namespace leco {

// Appends rows of one group.
class FlagGroup {
 public:
  FlagGroup(std::vector<Flag>& table, std::string title) : table_(table), title_(std::move(title)) {}

  // A flag whose value determines the weights or how they are stored.
  void works(std::string name, Form form, std::string help) {
    Flag flag;
    flag.name = std::move(name);
    flag.group = title_;
    flag.form = std::move(form);
    flag.help = std::move(help);
    table_.push_back(std::move(flag));
  }
  // A path, a name or a saving interval.
  void works_aside(std::string name, Form form, std::string help) {
    works(std::move(name), std::move(form), std::move(help));
    table_.back().determines_result = false;
  }
  void no_effect(std::string name, Form form, std::string reason) {
    works(std::move(name), std::move(form), "");
    table_.back().status = FlagStatus::kNoEffect;
    table_.back().reason = std::move(reason);
  }
  void refused(std::string name, Form form, std::string reason) {
    no_effect(std::move(name), std::move(form), std::move(reason));
    table_.back().status = FlagStatus::kRefused;
  }

 private:
  std::vector<Flag>& table_;
  std::string title_;
};

void add_model_flags(TrainSettings& settings, std::vector<Flag>& table);      // model, prompts, LoRA
void add_step_flags(TrainSettings& settings, std::vector<Flag>& table);       // steps, clipping
void add_optimizer_flags(TrainSettings& settings, std::vector<Flag>& table);  // optimizer, rate
void add_loss_flags(TrainSettings& settings, std::vector<Flag>& table);       // noise, loss, precision
void add_machine_flags(TrainSettings& settings, std::vector<Flag>& table);  // items of a step, ranks, device
void add_file_flags(TrainSettings& settings,
                    std::vector<Flag>& table);  // output, states, logs, previews, uploads

}  // namespace leco
