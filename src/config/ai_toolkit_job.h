// Job files of ostris/ai-toolkit (`type: slider`): what they train, and what they set besides.
#pragma once

#include "config/config_table.h"
#include "config/prompt_keys.h"

namespace leco {

bool is_ai_toolkit_job(const ConfigNode& root);

// A table that holds the job's sliders as `slider`. One notice lists what else the job sets, with the flags
// for it. Usage errors: no process of type slider or several; `anchors`, `shuffle: true` and adapters, with
// the reason.
ConfigNode import_ai_toolkit_job(const ConfigNode& root, const ConfigSource& source, Notices& notices);

}  // namespace leco
