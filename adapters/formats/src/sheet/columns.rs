//! The columns that a sheet may have, and where their cells stand in a canonical message.

use Belongs::{Bill, Head, Line};
use Cell::{Amount, Code, Count, Date, Identifier, Kind, Text};

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    /// Its title, in English.
    pub(super) title: &'static str,
    /// Its titles in Persian, Arabic, French and Portuguese.
    pub(super) others: [&'static str; 4],
    /// What its cells say something of.
    pub(super) of: Belongs,
    /// Where, as steps into that.
    pub(super) path: &'static [&'static str],
    /// What its cells are.
    pub(super) cell: Cell,
}

/// What a cell says something of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belongs {
    /// The message: all rows of one bill say the same, or nothing.
    Head,
    /// Its bill, likewise.
    Bill,
    /// The row's own line.
    Line,
    /// A message that this one belongs to, by the relation of this name.
    Earlier(&'static str),
    /// What the line is for.
    Diagnosis,
    /// Who did it.
    Practitioner,
    /// Nothing: it numbers the row, where the sheet is a part of another one.
    Nothing,
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// The kind of message.
    Kind,
    /// Words, a name of a list, a number that may have a fraction.
    Text,
    /// A whole number.
    Count,
    /// A day, in the calendar that the title names.
    Date,
    /// Money, in whole units of the currency with a point before the fraction: 850.00.
    Amount,
    /// A code of the system that the title names.
    Code,
    /// An identifier in the system that the title names, or in this one.
    Identifier(Option<&'static str>),
}

const fn column(
    title: &'static str,
    others: [&'static str; 4],
    of: Belongs,
    path: &'static [&'static str],
    cell: Cell,
) -> Column {
    Column {
        title,
        others,
        of,
        path,
        cell,
    }
}

/// The system of bill numbers: the sheet's own.
pub(super) const BILL: &str = "urn:takmil:sheet:bill";

/// The column without which a text is no sheet.
pub(super) const KEY: &str = "bill";

/// The column that numbers the rows otherwise than from the top.
pub(super) const ROW: &str = "row";

/// Every column.
#[rustfmt::skip]
pub(super) const COLUMNS: &[Column] = &[
    column(KEY, ["صورت‌حساب", "الفاتورة", "facture", "fatura"], Head, &["identifiers", "0"], Identifier(Some(BILL))),
    column(ROW, ["ردیف", "السطر", "ligne", "linha"], Belongs::Nothing, &[], Count),
    column("kind", ["نوع", "النوع", "type", "tipo"], Head, &["kind"], Kind),
    column("created", ["تاریخ صدور", "تاريخ الإصدار", "établie le", "emitida em"], Head, &["created"], Date),
    column("currency", ["ارز", "العملة", "monnaie", "moeda"], Head, &["currency"], Text),
    column("language", ["زبان", "اللغة", "langue", "língua"], Head, &["language"], Text),
    column("member", ["بیمه‌شده", "المؤمن عليه", "assuré", "segurado"], Head, &["member", "identifiers", "0"], Identifier(None)),
    column("member name", ["نام بیمه‌شده", "اسم المؤمن عليه", "nom de l'assuré", "nome do segurado"], Head, &["member", "name"], Text),
    column("birth date", ["تاریخ تولد", "تاريخ الميلاد", "date de naissance", "data de nascimento"], Head, &["member", "birth_date"], Date),
    column("sex", ["جنسیت", "الجنس", "sexe", "sexo"], Head, &["member", "sex"], Text),
    column("replaces", ["جایگزین", "بدلاً من", "remplace", "substitui"], Belongs::Earlier("replaces"), &[], Identifier(Some(BILL))),
    column("admission", ["پذیرش", "الدخول", "admission", "internamento"], Belongs::Earlier("admission"), &[], Identifier(None)),
    column("prescription", ["نسخه", "الوصفة", "ordonnance", "receita"], Belongs::Earlier("prescription"), &[], Identifier(None)),
    column("class", ["رشته", "الفئة", "catégorie", "classe"], Bill, &["class"], Text),
    column("visit", ["مراجعه", "الزيارة", "visite", "visita"], Bill, &["encounter", "identifiers", "0"], Identifier(None)),
    column("setting", ["نوع مراجعه", "نوع الزيارة", "mode de prise en charge", "regime"], Bill, &["encounter", "class"], Text),
    column("total", ["جمع", "المجموع", "total", "total"], Bill, &["total"], Amount),
    column("diagnosis", ["تشخیص", "التشخيص", "diagnostic", "diagnóstico"], Belongs::Diagnosis, &["coded", "source"], Code),
    column("practitioner", ["پزشک", "الطبيب", "praticien", "médico"], Belongs::Practitioner, &["identifiers", "0"], Identifier(None)),
    column("practitioner name", ["نام پزشک", "اسم الطبيب", "nom du praticien", "nome do médico"], Belongs::Practitioner, &["name"], Text),
    column("date", ["تاریخ", "التاريخ", "date", "data"], Line, &["serviced", "start"], Date),
    column("code", ["کد", "الرمز", "code", "código"], Line, &["item", "source"], Code),
    column("service", ["خدمت", "الخدمة", "acte", "serviço"], Line, &["item", "text"], Text),
    column("quantity", ["تعداد", "الكمية", "quantité", "quantidade"], Line, &["quantity"], Text),
    column("unit", ["واحد", "الوحدة", "unité", "unidade"], Line, &["unit"], Text),
    column("unit price", ["قیمت واحد", "سعر الوحدة", "prix unitaire", "preço unitário"], Line, &["unit_price"], Amount),
    column("amount", ["مبلغ", "المبلغ", "montant", "montante"], Line, &["billed"], Amount),
    column("base paid", ["سهم بیمه پایه", "حصة التأمين الأساسي", "part de base", "parte da base"], Line, &["base", "paid"], Amount),
    column("paid by member", ["پرداخت بیمه‌شده", "دفع المؤمن عليه", "payé par l'assuré", "pago pelo segurado"], Line, &["paid_by_member"], Amount),
    column("site", ["دندان یا عضو", "السن أو العضو", "dent ou site", "dente ou local"], Line, &["body_site", "source"], Code),
    column("days", ["روز مصرف", "أيام العلاج", "jours", "dias"], Line, &["days_supply"], Count),
    column("authorisation", ["شماره تأیید", "رقم الموافقة", "accord", "autorização"], Line, &["authorisation"], Text),
];
