// `leco completion bash`: the shell's completion, written from the tables of flags.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "launcher/subcommand.h"

namespace leco {
namespace {

// COMP_WORDBREAKS holds '=' as a rule, so that "--flag=va" comes as three words; without it, as one.
constexpr std::string_view kFunction = R"bash(_leco() {
  local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} before= kind
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "$_leco_commands --help --version" -- "$word"))
    return
  fi
  if [[ $word == --*=* ]]; then
    flag=${word%%=*} before=$flag= word=${word#*=}
  elif [[ $word == = ]]; then
    word=
  elif [[ $flag == = ]]; then
    flag=${COMP_WORDS[COMP_CWORD-2]}
  fi
  if [[ $word == --* ]]; then
    compopt -o nospace
    mapfile -t COMPREPLY < <(compgen -W "$(_leco_flags "$command")" -- "$word")
    ((${#COMPREPLY[@]} != 1)) || [[ ${COMPREPLY[0]} == *= ]] || COMPREPLY[0]+=' '
    return
  fi
  kind=$(_leco_values "$command" "$flag")
  case $kind in
    files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    folders) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
    words\ *) mapfile -t COMPREPLY < <(compgen -W "${kind#words }" -- "$word") ;;
  esac
  [[ -z $before ]] || COMPREPLY=("${COMPREPLY[@]/#/$before}")
}
complete -F _leco leco
)bash";

// What stands behind the flag, in the words of kFunction; empty where the shell cannot know.
std::string values_of(const Flag& flag) {
  const std::string& metavar = flag.form.metavar;
  if (!flag.form.choices.empty()) return fmt::format("words {}", fmt::join(flag.form.choices, " "));
  if (metavar == "FILE" || metavar == "PATH") return "files";
  return metavar.starts_with("DIR") ? "folders" : "";
}

std::vector<std::string> names_of(const Subcommand& subcommand) {
  std::vector<std::string> names;
  for (const Flag& flag : subcommand.flags())
    if (flag.status == FlagStatus::kWorks)
      names.push_back(fmt::format("--{}{}", flag.name, flag.form.kind == ValueKind::kSwitch ? "" : "="));
  return names;
}

// What the words of a command that are no flags may be.
std::string operands_of(const Subcommand& subcommand) {
  if (subcommand.operands.starts_with("FILE")) return "files";
  if (subcommand.name == "completion") return "words bash";
  return subcommand.name == "help" ? "words $_leco_commands" : "";
}

std::string bash_completion() {
  std::string flags, values;
  std::vector<std::string> names;
  for (const Subcommand& subcommand : subcommands()) {
    names.push_back(subcommand.name);
    if (const auto of_command = names_of(subcommand); !of_command.empty())
      flags += fmt::format("    {}) echo '{}' ;;\n", subcommand.name, fmt::join(of_command, " "));
    for (const Flag& flag : subcommand.flags())
      if (const std::string kind = values_of(flag); flag.status == FlagStatus::kWorks && !kind.empty())
        values += fmt::format("    '{} --{}') echo '{}' ;;\n", subcommand.name, flag.name, kind);
    if (const std::string kind = operands_of(subcommand); !kind.empty())
      values += fmt::format("    '{} '*) echo \"{}\" ;;\n", subcommand.name, kind);
  }
  return fmt::format(
      "# Completion of leco for bash: commands, flags, values, files.\n"
      "_leco_commands='{}'\n"
      "_leco_flags() {{\n  case $1 in\n{}  esac\n}}\n"
      "_leco_values() {{\n  case \"$1 $2\" in\n{}  esac\n}}\n{}",
      fmt::join(names, " "), flags, values, kFunction);
}

}  // namespace

std::string completion_help() {
  return "leco completion: prints a script for the shell.\n"
         "Usage: source <(leco completion bash)\n"
         "For every new shell, put that line into ~/.bashrc, or the script's text into\n"
         "~/.local/share/bash-completion/completions/leco.\n";
}

ExitStatus completion_command(World& world, std::span<const std::string> arguments) {
  const bool asks_for_help = arguments.size() == 1 && (arguments[0] == "--help" || arguments[0] == "-h");
  if (!asks_for_help && (arguments.size() != 1 || arguments[0] != "bash"))
    throw_usage(
        "leco completion takes the name of a shell, and bash is the one it knows: leco completion bash");
  return show(world, asks_for_help ? completion_help() : bash_completion());
}

}  // namespace leco
