#include <evenkeel/analysis/summary.h>
#include <evenkeel/core/autograd.h>
#include <evenkeel/report/table.h>
#include <evenkeel/report/text.h>

#include <map>
#include <set>

namespace evenkeel::analysis {

namespace {

/// Writes a row for each layer without children, when its first call ends.
class Rows : public nn::ModuleObserver {
 public:
  Rows(nn::Module& model, report::Table& table) : table_(table) {
    for (const auto& [name, module] : model.named_modules()) names_[module] = name;
    outer_ = nn::set_module_observer(this);
  }
  ~Rows() override { nn::set_module_observer(outer_); }

  void on_enter(nn::Module&, const Tensor&) override {}
  void on_exit(nn::Module& module, const Tensor&, const Tensor& output) override {
    if (!module.children().empty() || !seen_.insert(&module).second) return;
    const std::int64_t parameters = module.parameter_count();
    table_.add_row({names_[&module], module.type_name(), output.shape().str(),
                    parameters > 0 ? report::with_commas(parameters) : ""});
  }

 private:
  report::Table& table_;
  nn::ModuleObserver* outer_;
  std::map<const nn::Module*, std::string> names_;
  std::set<const nn::Module*> seen_;
};

/// The model in evaluation until the scope ends, so that no running statistics change.
class EvalScope {
 public:
  explicit EvalScope(nn::Module& model) {
    for (const auto& [name, module] : model.named_modules())
      before_.emplace_back(module, module->is_training());
    model.eval();
  }
  ~EvalScope() {
    // train() changes all below too: parents come first.
    for (const auto& [module, training] : before_) module->train(training);
  }
  EvalScope(const EvalScope&) = delete;
  EvalScope& operator=(const EvalScope&) = delete;

 private:
  std::vector<std::pair<nn::Module*, bool>> before_;
};

}  // namespace

std::string summary(nn::Module& model, const Tensor& input) {
  report::Table table({{"layer"}, {"type"}, {"output"}, {"parameters", report::Align::right}});
  {
    const NoGradScope no_grad;
    const EvalScope eval(model);
    const Rows rows(model, table);
    model(input);
  }
  table.add_rule();
  table.add_row({"total", "", "", report::with_commas(model.parameter_count())});
  return table.str();
}

}  // namespace evenkeel::analysis
