// From settings to an optimizer. The numbers of each are those of the Python class in optimizer_names().
#pragma once

#include <memory>

#include "optim/optimizer.h"

namespace leco {

// Usage error where the optimizer finds the step size itself and segments have rates of their own.
std::unique_ptr<Optimizer> make_optimizer(const OptimizerSettings& settings, const OptimizerTarget& target);

// One file each; the papers and formulas stand there.
std::unique_ptr<Optimizer> make_adam(const OptimizerSettings&, const OptimizerTarget&);  // and AdamW
std::unique_ptr<Optimizer> make_sgd(const OptimizerSettings&, const OptimizerTarget&);   // and SGDNesterov
std::unique_ptr<Optimizer> make_lion(const OptimizerSettings&, const OptimizerTarget&);
std::unique_ptr<Optimizer> make_adafactor(const OptimizerSettings&, const OptimizerTarget&);
std::unique_ptr<Optimizer> make_prodigy(const OptimizerSettings&, const OptimizerTarget&);
std::unique_ptr<Optimizer> make_dadapt_adam(const OptimizerSettings&, const OptimizerTarget&);
std::unique_ptr<Optimizer> make_dadapt_lion(const OptimizerSettings&, const OptimizerTarget&);
std::unique_ptr<Optimizer> make_schedule_free(const OptimizerSettings&, const OptimizerTarget&);
std::unique_ptr<Optimizer> make_rmsprop(const OptimizerSettings&, const OptimizerTarget&);
std::unique_ptr<Optimizer> make_adagrad(const OptimizerSettings&, const OptimizerTarget&);
std::unique_ptr<Optimizer> make_nadam(const OptimizerSettings&, const OptimizerTarget&);
std::unique_ptr<Optimizer> make_radam(const OptimizerSettings&, const OptimizerTarget&);
// AdamW8bit, Lion8bit, SGDNesterov8bit
std::unique_ptr<Optimizer> make_eight_bit(const OptimizerSettings&, const OptimizerTarget&);

}  // namespace leco
