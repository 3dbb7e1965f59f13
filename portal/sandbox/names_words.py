"""Words the made-up clients are made of."""

# fmt: off
# ruff: noqa: E501  # lists of words, many to a line

from __future__ import annotations

# First names and family names that go together.
PEOPLE: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("Aroha", "Tama", "Hine", "Rāwiri", "Mere", "Wiremu", "Anahera", "Manaia", "Kahurangi", "Tāne", "Ngaio", "Hēmi",
         "Moana", "Pita", "Marama", "Te Ariki", "Kiri", "Nīkau", "Whetū", "Rangi", "Huia", "Matiu", "Ataahua", "Ihaia"),
        ("Ngata", "Parata", "Tūhoe", "Wētere", "Pōmare", "Te Kanawa", "Rāpana", "Kīngi", "Waititi", "Tāmihana", "Hēnare",
         "Paki", "Mahuta", "Rewiti", "Te Rangi", "Hōhepa", "Whaanga", "Ropata", "Tīpene", "Manihera"),
    ),
    (
        ("Sione", "Mele", "Tevita", "Losa", "Ioane", "Salote", "Fetu", "Ana", "Viliami", "Lupe", "Filipo", "Sina",
         "Manu", "Talia", "Pasefika", "Ofa"),
        ("Tuilagi", "Fonua", "Leota", "Taufa", "Faleolo", "Vaipulu", "Tuʻipulotu", "Sopoaga", "Fa‘asavalu", "Moala",
         "Tagaloa", "Lolohea", "Pouvalu", "Iosefa"),
    ),
    (
        ("Wei", "Li", "Xiu", "Jun", "Mei", "Hao", "Ying", "Jian", "Fang", "Lin", "Yan", "Bo", "Xin", "Qiang"),
        ("Zhang", "Wang", "Chen", "Liu", "Huang", "Zhao", "Wu", "Zhou", "Xu", "Sun", "Lü", "Gao", "Lin", "Nguyễn",
         "Trần", "Kim", "Park", "Tanaka"),
    ),
    (
        ("Priya", "Arjun", "Ananya", "Rohan", "Kavita", "Vikram", "Neha", "Sanjay", "Meera", "Amit", "Divya", "Harpreet",
         "Gurpreet", "Ravi", "Lakshmi", "Imran"),
        ("Sharma", "Patel", "Singh", "Kaur", "Rao", "Gupta", "Iyer", "Reddy", "Nair", "Mehta", "Chandra", "Banerjee",
         "Desai", "Khan", "Fernando", "Perera"),
    ),
    (
        ("Sarah", "James", "Emma", "William", "Olivia", "Thomas", "Charlotte", "Jack", "Grace", "Daniel", "Lucy", "Ben",
         "Hannah", "Matthew", "Kate", "Andrew", "Rachel", "Michael", "Sophie", "David", "Zoë", "Peter", "Helen", "Mark",
         "Fiona", "Callum", "Siobhán", "Niamh", "Graham", "Margaret"),
        ("Smith", "Wilson", "Campbell", "McKenzie", "Taylor", "Fraser", "Harris", "Walker", "Robinson", "Clarke",
         "Murphy", "O'Brien", "Stewart", "Bennett", "Hughes", "Morrison", "Reid", "Thomson", "Cameron", "Whitlam",
         "Ashworth", "Pemberton", "Hawthorne", "Lockwood", "Sinclair", "Drummond", "MacLeod", "D'Arcy-Jones",
         "Fitzgerald", "Gallagher"),
    ),
    (
        ("Ivana", "Luka", "Mateja", "Søren", "Astrid", "Björn", "Françoise", "Jürgen", "Chloé", "Giulia", "Zoran",
         "Łukasz", "Ana-Sofía", "Dmitri", "Yusuf", "Fatima"),
        ("Šimić", "Babić", "Jurić", "Ørsted", "Müller", "Lindström", "Kowalski", "García", "Rossi", "Petrović", "Novák",
         "Van der Berg", "Lefèvre", "Papadopoulos", "Al-Hakim", "Özdemir"),
    ),
)
PLACES = (
    "Harbour", "Kauri", "Tasman", "Waikato", "Southern", "Pacific", "Coromandel", "Aoraki", "Rimu", "Pōhutukawa",
    "Kererū", "Tūī", "Aotea", "Waimea", "Kaikōura", "Wairarapa", "Ōtaki", "Taupō", "Whānau", "Moana", "Summit", "Mercury",
    "Northland", "Canterbury", "Fernleaf", "Silverstream", "Bluestone", "Riverbend", "Lakeside", "Highland", "Redwood",
    "Ironbark", "Banksia", "Wattle", "Gumtree", "Coral", "Outback", "Capricorn", "Southbank", "Eastgate", "Westhaven",
    "Kōwhai", "Matariki", "Mānuka", "Titoki", "Huka", "Clearwater", "Stonefield", "Longbush", "Oakridge", "Anchor",
)
TRADES = (
    "Plumbing", "Electrical", "Builders", "Construction", "Roofing", "Landscapes", "Orchards", "Dairy", "Vineyards",
    "Cafe", "Bakery", "Catering", "Motors", "Panelbeaters", "Transport", "Logistics", "Engineering", "Consulting",
    "Architects", "Surveyors", "Dental", "Physiotherapy", "Veterinary Services", "Pharmacy", "Early Learning",
    "Property", "Holdings", "Investments", "Developments", "Homes", "Joinery", "Flooring", "Painters", "Software",
    "Digital", "Media", "Print", "Design Studio", "Fitness", "Hair Studio", "Florist", "Fisheries", "Forestry",
    "Contracting", "Earthmoving", "Cleaning", "Security", "Travel", "Imports", "Foods", "Brewing", "Honey", "Wool",
    "Shearing", "Boatbuilders", "Marine", "Aviation", "Recruitment", "Training", "Legal",
)
# Region, cities with post codes, phone prefix.
CITIES_NZ: tuple[tuple[str, str, str, str], ...] = (
    ("Auckland", "Auckland", "1010", "09"), ("Manukau", "Auckland", "2104", "09"), ("Takapuna", "Auckland", "0622", "09"),
    ("Hamilton", "Waikato", "3204", "07"), ("Tauranga", "Bay of Plenty", "3110", "07"),
    ("Rotorua", "Bay of Plenty", "3010", "07"), ("Napier", "Hawke's Bay", "4110", "06"),
    ("New Plymouth", "Taranaki", "4310", "06"), ("Whanganui", "Manawatū-Whanganui", "4500", "06"),
    ("Palmerston North", "Manawatū-Whanganui", "4410", "06"), ("Wellington", "Wellington", "6011", "04"),
    ("Lower Hutt", "Wellington", "5010", "04"), ("Nelson", "Nelson", "7010", "03"),
    ("Christchurch", "Canterbury", "8011", "03"), ("Timaru", "Canterbury", "7910", "03"),
    ("Dunedin", "Otago", "9016", "03"), ("Queenstown", "Otago", "9300", "03"), ("Invercargill", "Southland", "9810", "03"),
    ("Whangārei", "Northland", "0110", "09"), ("Gisborne", "Gisborne", "4010", "06"),
)
CITIES_AU: tuple[tuple[str, str, str, str], ...] = (
    ("Sydney", "NSW", "2000", "02"), ("Parramatta", "NSW", "2150", "02"), ("Newcastle", "NSW", "2300", "02"),
    ("Melbourne", "VIC", "3000", "03"), ("Geelong", "VIC", "3220", "03"), ("Brisbane", "QLD", "4000", "07"),
    ("Cairns", "QLD", "4870", "07"), ("Adelaide", "SA", "5000", "08"), ("Perth", "WA", "6000", "08"),
    ("Fremantle", "WA", "6160", "08"), ("Hobart", "TAS", "7000", "03"), ("Darwin", "NT", "0800", "08"),
)
STREETS = (
    "Queen", "Victoria", "Albert", "Kauri", "Rata", "Tōtara", "Beach", "Harbour View", "Station", "Church", "High",
    "Cuba", "Lambton", "Karangahape", "Ponsonby", "Riccarton", "Moorhouse", "George", "Princes", "Marine", "Tui",
    "Pukeko", "Mill", "Bridge", "Fergusson", "Devonport", "Cameron", "Willow", "Ōrewa", "Kōwhai", "Puriri", "Hobson",
)
STREET_KINDS = ("Street", "Road", "Avenue", "Terrace", "Crescent", "Lane", "Drive", "Place", "Parade", "Quay")
POSITIONS = (
    "Director", "Owner", "Office Manager", "Bookkeeper", "Trustee", "Chief Executive", "Accounts Payable", "Partner",
    "General Manager", "Farm Manager", "Practice Manager", "Finance Manager", "",
)
SOURCES = ("", "", "", "", "Referral", "Website", "Bank manager", "Existing client", "Chamber of Commerce")
NOTES = (
    ("Prefers phone calls", "Call rather than email, before nine in the morning."),
    ("Year end", "Stocktake takes two weeks; start asking for it in April."),
    ("Bank", "Moved banks last year, both accounts are still open."),
    ("Family", "Daughter joins the business in spring and will look after the books."),
)
