"""The codes that this connector serves, and what their rows say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from docs import generate
from typer.testing import CliRunner

import paymux.connectors.generic
from paymux import cli
from paymux.connectors.facts import CodeFacts, ProviderFacts, read_facts
from paymux.connectors.registry import all_providers
from paymux.money import is_currency

PUBLISHED = [
    "OPENPAY_AU",
    "ZIP_UK",
    "ZIP_NZ",
    "ZIP_AU",
    "ZIP_SG",
    "OPENPAY_UK",
    "LAYBUY_NZ",
    "LAYBUY_UK",
    "LAYBUY_AU",
    "PAYFLEX_SA",
    "SPLITIT",
    "HOOLAH_SG",
    "HOOLAH_MY",
    "HOOLAH_HK",
    "QUADPAY_US",
    "QUADPAY_CA",
    "OPENPAY_NZ",
    "SEZZLE",
    "AFFIRM_US",
    "AFFIRM_CAD",
    "SPOTII",
    "PAGANTIS_EU",
    "ALMA",
    "SCALAPAY",
    "TENDOPAY",
    "ATOME",
    "ATOME_TW",
    "ATOME_TH",
    "ATOME_ID",
    "ATOME_MY",
    "ATOME_HK",
    "ATOME_VN",
    "ATOME_PH",
    "RELY_SG",
    "GRAB_SG",
    "GRAB_MY",
    "SOFINCO_X3CB",
    "SOFINCO_X4CB",
    "BILLEASE_PH",
    "HUMM_AU",
    "HUMM_NZ",
    "HUMM_UK",
    "HUMM_IE",
    "PACE",
    "SMARTPAY",
    "PAYPAL",
    "POSTPAY",
    "REAL_SOLUTION_DIRECT_DEBIT",
    "REAL_SOLUTION_OPEN_INVOICE",
    "CLEOPAY",
    "ERATY",
    "ALIPAY_US",
    "ALIPAY_CN",
    "ALIPAY_HK",
    "ALIPAY_PH",
    "ALIPAY_MY",
    "ALIPAY_TH",
    "ALIPAY_ID",
    "ALIPAY_BD",
    "ABLR_MY",
    "ABLR_SG",
    "SHOPBACK_SG",
    "SHOPBACK_MY",
    "BNPP",
    "LATITUDE_IF_AU",
    "LATITUDE_IF_AU_DEFERRED",
    "LATITUDE_IF_AU_DEFFERED",
    "APLAZO_MX",
    "PAYJUSTNOW_SA",
    "TRIPLEA",
    "MPGS",
    "PAYSQUAD_NZ",
    "WAAVE",
    "TAMARA_SA",
    "TAMARA_AE",
    "VALU",
    "PAYTAB",
    "MYFATOORAH_KW",
    "GOCARDLESS",
    "GOCARDLESS_GB",
    "GOCARDLESS_EU",
    "GOCARDLESS_AU",
    "GOCARDLESS_NZ",
    "PAYMOB_EG",
    "CASHEW",
    "MONOOVA_AU",
    "VOLT",
    "LATITUDEPAY_SG",
    "PLANPAY_AU",
]
# As they are written: the registry leaves out the codes that have a connector of their own by now.
FACTS = read_facts(Path(paymux.connectors.generic.__file__).parent / "provider.toml")


def test_every_published_code_without_a_connector_of_its_own_is_served() -> None:
    elsewhere = {c for name, p in all_providers().items() if name != "generic" for c in p.facts.codes}
    assert set(PUBLISHED) <= set(all_providers()["generic"].facts.codes) | elsewhere


@pytest.mark.parametrize(
    ("code", "currency", "country"),
    [
        ("ZIP_UK", "GBP", "GB"), ("GOCARDLESS_GB", "GBP", "GB"), ("HUMM_IE", "EUR", "IE"), ("ATOME_TW", "TWD", "TW"),
        ("TAMARA_SA", "SAR", "SA"), ("PAYFLEX_SA", "ZAR", "ZA"), ("PAYJUSTNOW_SA", "ZAR", "ZA"),
        ("AFFIRM_CAD", "CAD", "CA"), ("ALIPAY_BD", "BDT", "BD"), ("LATITUDE_IF_AU_DEFFERED", "AUD", "AU"),
        ("GOCARDLESS_EU", "EUR", None), ("REAL_SOLUTION_DIRECT_DEBIT", None, None), ("VOLT", None, None),
    ],
)  # fmt: skip
def test_a_code_takes_the_currency_of_its_suffix(code: str, currency: str | None, country: str | None) -> None:
    facts = FACTS.codes[code]
    assert facts.currencies == ((currency,) if currency else ())
    assert facts.countries == ((country,) if country else ())


def test_every_code_says_that_it_is_unverified() -> None:
    assert FACTS.confidence == "unverified"
    for facts in FACTS.codes.values():
        assert "assumed" in facts.unverified[0]
        assert all(is_currency(currency) for currency in facts.currencies)


def test_which_country_the_suffix_sa_means_is_said() -> None:
    for code in ("TAMARA_SA", "PAYFLEX_SA", "PAYJUSTNOW_SA"):
        assert any("South Africa" in said for said in FACTS.codes[code].unverified)


LEFT = all_providers()["generic"].facts


@pytest.mark.parametrize("code", sorted(LEFT.codes))
def test_a_code_without_a_connector_of_its_own_says_what_one_would_need(code: str) -> None:
    """A whole sentence that a person can act on, shown on the generated page and in the list for programs."""
    missing = LEFT.codes[code].missing
    assert re.search(r"[A-Z].{40,}\.$", missing), (
        "say what is missing and where it was looked for (`missing` in provider.toml)"
    )
    page = generate.documents()[generate.DOCS / "providers" / "generic.md"]
    section = page.split("## Why these have no connector of their own\n")[1].split("\n## ")[0]
    assert any(f"`{code}`" in line and line.endswith(f": {missing}") for line in section.splitlines())


def test_the_list_for_programs_says_what_is_missing() -> None:
    cli.add_the_rest()
    rows = json.loads(CliRunner().invoke(cli.app, ["providers", "--json"]).stdout)
    said = {row["code"]: row["missing"] for row in rows}
    assert {code for code, missing in said.items() if missing} == set(LEFT.codes)
    assert said["ATOME"] == LEFT.codes["ATOME"].missing


def test_only_a_fallback_may_say_that_something_is_missing() -> None:
    codes = {"FLOWER_AU": CodeFacts(title="Flower", missing="Its API. Looked for in its garden.")}
    assert LEFT.model_validate(LEFT.model_dump() | {"codes": codes, "proofs": ()}).codes["FLOWER_AU"].missing
    with pytest.raises(ValueError, match="for a fallback's codes only, not for FLOWER_AU"):
        ProviderFacts.model_validate(LEFT.model_dump() | {"codes": codes, "proofs": (), "fallback": False})
