// Models that Hugging Face's tools have left on this machine. Nothing is fetched.
//
// Layout (huggingface_hub 0.36, "Understand caching"): <cache>/models--<org>--<name>/refs/<revision> holds
// the hash of a commit, snapshots/<hash>/ its files, as links into blobs/.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/file_source.h"

namespace leco {

// The value of an environment variable; empty where it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

std::optional<std::string> process_environment(const std::string& name);

// "name" or "organisation/name" in the hub's spelling. So are many paths: ask the file system first.
bool may_be_hub_id(std::string_view text);

// HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE (its old name), else HF_HOME/hub, else
// XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub. "~/" and $NAME in a value are replaced as
// there.
std::string hub_cache_folder(const Environment& environment);

// The folder with the model's files, of the given branch, tag or commit. Empty where it is not in the cache.
// Collective, as `files` is. `id` must be one by may_be_hub_id.
std::optional<std::string> find_in_hub_cache(FileSource& files, const std::string& id,
                                             const Environment& environment,
                                             const std::string& revision = "main");

// Where it was looked for, which other revisions are there (with their folders, to be given as a path), and
// the command that fetches the model; one line, to end an error. Looks on this process's file system.
std::string missing_from_hub_cache(const std::string& id, const Environment& environment,
                                   const std::string& revision = "main");

}  // namespace leco
