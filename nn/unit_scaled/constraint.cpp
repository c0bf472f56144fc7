#include <evenkeel/core/error.h>
#include <evenkeel/nn/unit_scaled/constraint.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace evenkeel::unit_scaled {

namespace {

constexpr std::array<std::pair<Constraint, const char*>, 8> kNames{{
    {Constraint::none, "none"},
    {Constraint::gmean, "gmean"},
    {Constraint::hmean, "hmean"},
    {Constraint::amean, "amean"},
    {Constraint::to_output_scale, "to_output_scale"},
    {Constraint::to_grad_input_scale, "to_grad_input_scale"},
    {Constraint::to_left_grad_scale, "to_left_grad_scale"},
    {Constraint::to_right_grad_scale, "to_right_grad_scale"},
}};

/// all[index]; all are the output's scale and `inputs` gradients'.
double pick(Constraint constraint, const std::vector<double>& all, std::size_t index, std::size_t inputs) {
  if (all.size() != inputs + 1)
    throw ConfigError(std::string("[unit_scaled] expected a constraint for ") +
                      std::to_string(all.size() - 1) + " inputs, got " + name(constraint));
  return all[index];
}

double joint_scale(Constraint constraint, const std::vector<double>& all) {
  switch (constraint) {
    case Constraint::gmean:
      return gmean(all);
    case Constraint::hmean:
      return hmean(all);
    case Constraint::amean:
      return amean(all);
    case Constraint::to_grad_input_scale:
      return pick(constraint, all, 1, 1);
    case Constraint::to_left_grad_scale:
      return pick(constraint, all, 1, 2);
    case Constraint::to_right_grad_scale:
      return pick(constraint, all, 2, 2);
    case Constraint::none:
    case Constraint::to_output_scale:
      break;
  }
  return all[0];
}

}  // namespace

const char* name(Constraint constraint) { return kNames[static_cast<std::size_t>(constraint)].second; }

Constraint constraint_from(const std::string& text) {
  for (const auto& [constraint, its_name] : kNames)
    if (text == its_name) return constraint;
  throw ConfigError(
      "[unit_scaled] expected none, gmean, hmean, amean, to_output_scale, to_grad_input_scale, "
      "to_left_grad_scale or to_right_grad_scale, got \"" +
      text + "\"");
}

double gmean(const std::vector<double>& scales) {
  double product = 1;
  for (const double scale : scales) product *= scale;
  return std::pow(product, 1 / static_cast<double>(scales.size()));
}

double hmean(const std::vector<double>& scales) {
  double sum = 0;
  for (const double scale : scales) sum += 1 / scale;
  return static_cast<double>(scales.size()) / sum;
}

double amean(const std::vector<double>& scales) {
  double sum = 0;
  for (const double scale : scales) sum += scale;
  return sum / static_cast<double>(scales.size());
}

std::vector<double> Scales::factors() const {
  std::vector<double> all(gradients);
  for (double& gradient : all) gradient /= output;
  return all;
}

Scales apply_constraint(Constraint constraint, Scales scales, std::size_t constrained) {
  if (constraint == Constraint::none) return scales;
  constrained = std::min(constrained, scales.gradients.size());
  const auto end = scales.gradients.begin() + static_cast<std::ptrdiff_t>(constrained);
  std::vector<double> all{scales.output};
  all.insert(all.end(), scales.gradients.begin(), end);
  scales.output = joint_scale(constraint, all);
  std::fill(scales.gradients.begin(), end, scales.output);
  return scales;
}

}  // namespace evenkeel::unit_scaled
