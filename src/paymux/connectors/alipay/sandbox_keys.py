"""The key pairs of the sandbox's Alipay, made for it alone: whoever signs with them can reach nothing else.

Base64 of PKCS#8, without PEM lines, as the Antom dashboard hands keys out.
"""

MERCHANT_KEY = (
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC+C9LUMsfRSoZJX4YwwptedSHknfnRzhPvwOaJQT+eHqB6RdYa"
    "JS1BzYE+6aceOXgDD+R9TgObNw0DLikz2qdZMgxJz1zTAf0VlEJzytM5douaWiwzOIi5nFlhN3quN2iB/R6gesm1HFJwLhSLRJh9"
    "UVrMilCXRCUmrnB4+9p13jCMJZxvKtGnj0eVqyMEN4UHER8896sdC6T5+N3web2hGiB4NbygXy1kVyO56s1US/WuYW1AcPrb76DP"
    "q8DpqfPOj/ZZ/wdZUZohPg4h2oUVgZURoozEh3LlCHZA7xGGrosXiQBTDaOYflEVFUtpvpbYoq/IVpHEbEyvm7hBKPRFAgMBAAEC"
    "ggEAGk5JqwyyYvJ1Xw+lY/d0CSGehOYnD9b+JHgnkQUimLD1lqc3CRxvRMX852fxNXpP9eCLyJp1XlVC7FdF5cMU2gBW+hqFZ0HF"
    "teh1QFDpZvFVRpLHvnlLV6HgL1g+F4Jc6W1PgXgtlm+qq5N9TX+7udD6iAh3OlD48X9A20ZFSX4v/AViJHEnvAkgNwiXIFnmm95y"
    "mKARcUJ4jjXKr5EQm1TwObPB3byWvDk0CfjrsiUcCuykeAL2it2AJF4zjbZjGiUOd2lWzHI88CX2SwNCZCWTPpe5HV9sc4jQQCtd"
    "Qu1lOrmImDT+vvrWAtCmFDUtd0GPbdDfMebXmc89aUGvoQKBgQD2QkVbUy6N8/JxT8OwlLMmG3Uo6fuekypq/pdJXcxwVchv57UB"
    "RnyPtZYA6LRSTKG4aK0vQtlan7fuc913Y8Xbn1sxSyEyYfLOCXUSaFFIxeCEA9bjemU6cDHw5aulXqe44wlkBI/xJx4cdsdGTYr+"
    "ZefD1vyK+LZvJrvbJgyccQKBgQDFkFFFlk/R09gXq0M6luIwrIHUy+O8PiObEZEMvSCTpnSDCo5RZfqW/+6FV+GIayk2CGeK4u0T"
    "R6jfsrqFaKgPpZmG6wELetG2ntmbT5whuvAHqnms9JxyiOxelRVa2V9UWn1YDJSAFaTAtqsfHoIkRGuEzR9bORdPUH6x9Q2PFQKB"
    "gBSSlr65ZUNApPloY33F/m1pj9EaMwYdX0bO/A6KAoFD+Vm37rwrik5rKhvrVN0nP79rJ0Syffv/KduG3HKT6DyfxHuKvjw6SJGD"
    "4r7l7hx5Q3dj5rjcScanBtUMKtnG3ZYpiWhMpUXNMcvI9H7gDYOROdp3hGOLwZnpj3oQZK9RAoGBAJzD1ml0S2QBSFAHurHr9hGP"
    "YPocy1mcqR4sAz/rdsUSaRNuNd3LINveu0KdqD1aYvoYEyk2xc3tp8fRh4XCtNCto7RWF58nVu8k/yDpO8fcEQjUMfaWpumPUpf+"
    "jlJnd+h0YU+Ts+Yqxm+QwxpPWA81J2faaA43sBJkmhPVkmu9AoGAS6NVpXGDfAGpSEIK4OoJEZTj8xyV9Zg7HOkd8Dez6u9VkiAQ"
    "YhtvDZnAGfHp2Kg/HkJmlcU3aMFnOEbaAjtlrU73ZVeTkl6KHXWLDKAETsx2QrMt/pQEL3ZiJcn/oIVrxGJ6JfSeom/O9G/OVJjB"
    "qIxdPZokQtilk7oCtWV6DnQ="
)
"""The private key of the demo merchant."""

PROVIDER_KEY = (
    "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDFtaXFfvluWi7tmv9BAeBlXI1h8zCLfe+MPpMIDJwmz2vSZ6/c"
    "gyv0X/fwmjb93Ika2JMPa6894HzKkRJBRo1ovgnbBcfDB7O9bqlz3URlHrUA3XNqM6XJ/5oZmwLrYt/cjnWiWo4D0Jal8vycJSEU"
    "Mrbf8f8r6P9CQmOaPfH76+68rbFxQb3d+aerqhj8JICeVYFMAuv+p76+dTji077vcRtOAA2t8SOa6cPSZ05dCyBhJRJUJNgVCRuN"
    "Xg/cdBo1vZLz91Nh+6Qvq9e2gjopy+8o63NRI7Y6BXOzkuTBrGY05OLGOjkuUe6S48Pa9Y1m9YYKyR2xoySPRMWGE4JZAgMBAAEC"
    "ggEABEPMkMl/1adHy98xyUHG0fs3aGalbW8tc668uu6T2OJ5tGFcyKhikliow/kPpp7TP3Ru0xwMIWhuSLTs/r3DcW3VvSl9C1/5"
    "ccAXExwxp8p5yIL+aTij/lQUC3ukijGf0pxyYb0LehByZlaYp9NXf+bl35EcPuLPzIYbPaUauOxuiQGo2PrxuXoaR16h7HovndWO"
    "+DorToNtNYNHsi4IdZUnKvDlJQM5WyEP3vtwMo2kPZ8OfHELG4Bh7Gq7CVTv/8aY18WeG7cYOez6CE5QKhQB8+lM6u2hc4EjvELV"
    "T3kDAWxNIo8H2YJkK7wU3YB/95UGZET0oufVTCJQ9Z+Q4QKBgQDuZ81O+Fio7ztKKzdplZELicQqrn4uVMJbq4cVL9djDq4bWsUy"
    "MOO+s/ZAgkXNVnHGek7xQp5gCweEgppgfG8L3A2hoRqlxOrnqIYvR8js1bQ8oQZdcL5vs83MmgzkvemuiLaTyvAXRlzIpL31ZQMe"
    "ZB1bY7J69wl8+MJFLwQw3wKBgQDUTPof+fuhr/cCzAcK7muaHwNTtH2vd6EKHw1GGWyrhU6pA1xeP1BUBfhZtSUrthJuAY6bklW1"
    "tzbUQjZvhNyqktp2e38bDpFeLgsSeGNU6jSPxwwMoDFdf1Utd/IoktyNOGnCC+tTehL0md9VhVMf8MNspJ6lccV95JnK2pYbxwKB"
    "gAjUKUNCaS4gZeayQQQU+OEfgfc+rQeUNfplGMSNGAHgGkyDCQh5zQVT7sumx2T6TY5XGzNOD0VpQycCGyt1kDs1NAAHUlBPQY/A"
    "qu93ThaPN3SDVhQBx9ulIfrwvYd/DPdcsr44ZrnF7kuz5iD/U6U9eeTXhVWObniFUdR0EEirAoGBAIjFUrq5BOiEgaD2qm7bbMzs"
    "v+r0M6iQbFol6RpJFN5nUmbGOIKrTWfkNLwuXFUNxk/ChwoouzkHYLZcNc+gi70EQOPl6dwXhYVkKlPq5St2ewhJlrSnm0X923Ug"
    "egyzmI0OU+vkW+X6li2o192zt/qy1GOwplg1tKLHXGD4c45PAoGBAM3eLPxSvPYfwLnJ+WZL0PVkdUBup4zrE45G9pXb4YBld32d"
    "tvDwHKoCHABZavIntmJpeV4pWir+DMZLCDopMNWDIGY7RMGX5CXQUmjZ4OZ+TqmnC81xbbqzzryOfbovgi+GnNZbIVL1EakD84Dj"
    "cUGoOdEEaJ7bjJ0C0C/2Jvkv"
)
"""The private key with which the sandbox's Alipay signs its answers and notifications."""
