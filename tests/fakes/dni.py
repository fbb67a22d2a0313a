from dataclasses import dataclass

from domain.messages import Count, Step
from domain.ports import Snapshot
from tests.fakes.effects import FakeSystem


@dataclass
class FakeCompany:
    account_id: str
    is_script_enabled: bool = True
    script_disabled_by: str | None = None


class FakeDni(FakeSystem):
    """The port `Dni` in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.companies: dict[str, FakeCompany] = {}

    def add(self, account_id: str, enabled: int = 1, disabled: int = 0) -> None:
        """Make an account with companies whose scripts are enabled, and some that are not."""
        self.account_ids.add(account_id)
        for place in range(enabled + disabled):
            is_enabled = place < enabled
            self.companies[f"{account_id}:{place}"] = FakeCompany(account_id, is_enabled)

    def disable_script(self, step: Step) -> Count:
        def disable() -> Count:
            companies = self._of(step.account_id)
            for company in companies.values():
                if company.is_script_enabled:
                    company.is_script_enabled = False
                    company.script_disabled_by = step.act_id
            return Count(count=len(companies))

        count: Count = self.once(
            "disable_script", step, disable, undone_by="enable_script", otherwise=Count(count=0)
        )
        return count

    def enable_script(self, step: Step) -> Count:
        def enable() -> Count:
            companies = [
                company
                for company in self._of(step.account_id).values()
                if company.script_disabled_by == step.act_id
            ]
            for company in companies:
                company.is_script_enabled = True
                company.script_disabled_by = None
            return Count(count=len(companies))

        count: Count = self.once("enable_script", step, enable)
        return count

    def snapshot(self, account_id: str) -> Snapshot:
        with self.lock:
            return {
                company_id: {
                    "swaps": company.is_script_enabled or self._is_suspended(company),
                }
                for company_id, company in self._of(account_id).items()
            }

    def is_enabled(self, account_id: str) -> list[bool]:
        """Whether each company's script swaps now."""
        with self.lock:
            return [company.is_script_enabled for company in self._of(account_id).values()]

    def _of(self, account_id: str) -> dict[str, FakeCompany]:
        return {
            company_id: company
            for company_id, company in self.companies.items()
            if company.account_id == account_id
        }

    def _is_suspended(self, company: FakeCompany) -> bool:
        act_id = company.script_disabled_by
        return act_id is not None and not self.is_recorded(act_id, "enable_script")
