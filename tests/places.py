"""A plausible shopper's place for each country that a payment method serves: telephone, city, state, postal code."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    phone: str
    city: str
    state: str
    postal_code: str


PLACES = {
    "AE": Place("+971500000001", "Dubai", "DU", "00000"), "AR": Place("+541123456789", "Buenos Aires", "B", "1000"),
    "AT": Place("+436641234567", "Wien", "9", "1010"), "AU": Place("+61400000000", "Sydney", "NSW", "2000"),
    "BD": Place("+8801712345678", "Dhaka", "C", "1205"), "BE": Place("+32470123456", "Brussel", "BRU", "1000"),
    "BH": Place("+97336000001", "Manama", "13", "317"), "BR": Place("+5511912345678", "Sao Paulo", "SP", "01000-000"),
    "CA": Place("+16135550123", "Ottawa", "ON", "K1P 5M7"), "CH": Place("+41791234567", "Zurich", "ZH", "8001"),
    "CN": Place("+8613800138000", "Shanghai", "SH", "200000"), "CO": Place("+573101234567", "Bogota", "DC", "110111"),
    "CZ": Place("+420601123456", "Praha", "10", "11000"), "DE": Place("+4915112345678", "Berlin", "BE", "10117"),
    "DK": Place("+4520123456", "Kobenhavn", "84", "1050"), "EG": Place("+201001234567", "Cairo", "C", "11511"),
    "ES": Place("+34612345678", "Madrid", "M", "28001"), "FI": Place("+358401234567", "Helsinki", "18", "00100"),
    "FR": Place("+33612345678", "Paris", "IDF", "75001"), "GB": Place("+447700900123", "London", "ENG", "SW1A 1AA"),
    "GR": Place("+306912345678", "Athina", "I", "10431"), "HK": Place("+85251234567", "Hong Kong", "HK", "999077"),
    "HU": Place("+36201234567", "Budapest", "BU", "1051"), "ID": Place("+6281234567890", "Jakarta", "JK", "10110"),
    "IE": Place("+353851234567", "Dublin", "D", "D01 F5P2"), "IN": Place("+919812345678", "Mumbai", "MH", "400001"),
    "IT": Place("+393123456789", "Roma", "RM", "00118"), "JP": Place("+819012345678", "Tokyo", "13", "100-0001"),
    "KW": Place("+96550000001", "Kuwait", "KU", "13001"), "MX": Place("+525512345678", "Ciudad de Mexico", "CMX", "06000"),
    "MY": Place("+60123456789", "Kuala Lumpur", "14", "50000"), "NL": Place("+31612345678", "Amsterdam", "NH", "1012 JS"),
    "NO": Place("+4740123456", "Oslo", "03", "0150"), "NZ": Place("+64211234567", "Auckland", "AUK", "1010"),
    "OM": Place("+96892123456", "Muscat", "MA", "100"), "PH": Place("+639171234567", "Manila", "00", "1000"),
    "PL": Place("+48512345678", "Warszawa", "14", "00-001"), "PT": Place("+351912345678", "Lisboa", "11", "1100-148"),
    "QA": Place("+97433000001", "Doha", "DA", "00000"), "RO": Place("+40712345678", "Bucuresti", "B", "010011"),
    "SA": Place("+966500000001", "Riyadh", "01", "11564"), "SE": Place("+46701234567", "Stockholm", "AB", "111 22"),
    "SG": Place("+6581234567", "Singapore", "01", "018956"), "SK": Place("+421901123456", "Bratislava", "BL", "811 01"),
    "TH": Place("+66812345678", "Bangkok", "10", "10200"), "TR": Place("+905321234567", "Istanbul", "34", "34000"),
    "TW": Place("+886912345678", "Taipei", "TPE", "100"), "US": Place("+12025550123", "New York", "NY", "10001"),
    "VN": Place("+84912345678", "Hanoi", "HN", "100000"), "ZA": Place("+27821234567", "Cape Town", "WC", "8001"),
}  # fmt: skip

ELSEWHERE = PLACES["AU"]
