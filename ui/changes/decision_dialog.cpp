// SPDX-License-Identifier: Apache-2.0
#include "ui/changes/decision_dialog.h"

#include "ui/changes/signs.h"
#include "ui/parts/tones.h"
#include "ui/text/plain.h"

#include <QAbstractTableModel>
#include <QDialogButtonBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QTableView>
#include <QVBoxLayout>

namespace carrel::ui {

namespace {

// Rows are numbered by the view's own header.
class FilesModel : public QAbstractTableModel {
public:
    FilesModel(const DecisionDialog::Question& question, QObject* parent)
        : QAbstractTableModel(parent)
        , m_files(question.files)
        , m_what(question.whatColumn) {}
    [[nodiscard]] int rowCount(const QModelIndex& above) const override { return above.isValid() ? 0 : static_cast<int>(m_files.size()); }
    [[nodiscard]] int columnCount(const QModelIndex& above) const override { return above.isValid() ? 0 : m_what.isEmpty() ? 1 : 2; }
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override {
        const auto& [path, what] = m_files[static_cast<std::size_t>(index.row())];
        const auto text = lineOf(index.column() == 0 ? path : what, kWholeColumns);
        return role == Qt::DisplayRole ? QVariant(text) : role == Qt::ToolTipRole ? QVariant(toolTipOf(text)) : QVariant();
    }
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override {
        if (orientation == Qt::Horizontal && role == Qt::TextAlignmentRole) {
            return int(Qt::AlignLeft | Qt::AlignVCenter);
        }
        if (role != Qt::DisplayRole) {
            return {};
        }
        return orientation == Qt::Vertical ? QVariant(section + 1) : section == 0 ? QVariant(DecisionDialog::tr("File")) : QVariant(m_what);
    }

private:
    std::vector<std::pair<std::string, std::string>> m_files;
    QString m_what;
};

} // namespace

DecisionDialog::DecisionDialog(const Question& question, QWidget* parent)
    : QDialog(parent) {
    setObjectName(question.weight == Weight::HighRisk ? QStringLiteral("highRiskDialog") : QStringLiteral("decisionDialog"));
    setAttribute(Qt::WA_DeleteOnClose);
    setWindowModality(Qt::WindowModal);
    setWindowTitle(question.title);
    auto* const all = new QVBoxLayout(this);
    all->setContentsMargins(18, 16, 18, 14);
    all->setSpacing(10);
    auto* const head = new QHBoxLayout;
    head->setSpacing(12);
    if (question.weight == Weight::HighRisk) {
        auto* const sign = new QLabel(this);
        sign->setPixmap(markIcon(Mark::HighRisk, palette()).pixmap(32, 32));
        sign->setAccessibleName(tr("Warning"));
        head->addWidget(sign, 0, Qt::AlignTop);
    }
    auto* const texts = new QVBoxLayout;
    auto* const ask = new PlainLabel(question.question, this);
    ask->setObjectName(QStringLiteral("question"));
    auto bold = ask->font();
    bold.setBold(true);
    bold.setPointSizeF(bold.pointSizeF() * 1.1);
    ask->setFont(bold);
    texts->addWidget(ask);
    if (!question.more.isEmpty()) {
        auto* const more = new PlainLabel(question.more, this);
        more->setObjectName(QStringLiteral("more"));
        texts->addWidget(more);
    }
    head->addLayout(texts, 1);
    all->addLayout(head);
    if (!question.files.empty()) {
        addFiles(question, *all);
    }
    auto* const buttons = new QDialogButtonBox(this);
    auto* const no = buttons->addButton(question.no, QDialogButtonBox::RejectRole);
    no->setObjectName(QStringLiteral("no"));
    if (!question.yes.isEmpty()) {
        m_yes = buttons->addButton(question.yes, QDialogButtonBox::AcceptRole);
        m_yes->setObjectName(QStringLiteral("yes"));
        m_yes->setAutoDefault(false);
    }
    if (m_yes != nullptr && !question.word.isEmpty()) {
        addWord(question, *all);
    }
    no->setDefault(true);
    no->setFocus();
    all->addWidget(buttons);
    connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    resize(question.files.empty() ? QSize(440, 150) : QSize(640, 380));
}

void DecisionDialog::addFiles(const Question& question, QVBoxLayout& into) {
    auto* const list = new QTableView(this);
    list->setObjectName(QStringLiteral("files"));
    list->setAccessibleName(tr("The files that this is about"));
    list->setModel(new FilesModel(question, list));
    list->setSelectionBehavior(QAbstractItemView::SelectRows);
    list->setShowGrid(false);
    list->setWordWrap(false);
    list->setTextElideMode(Qt::ElideNone); // a name is shown whole, or scrolled
    list->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    list->setTabKeyNavigation(false);
    list->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 8);
    list->horizontalHeader()->setHighlightSections(false);
    list->horizontalHeader()->setStretchLastSection(true);
    list->horizontalHeader()->setResizeContentsPrecision(200);
    list->resizeColumnsToContents();
    into.addWidget(list, 1);
}

void DecisionDialog::addWord(const Question& question, QVBoxLayout& into) {
    auto* const row = new QHBoxLayout;
    auto* const label = new QLabel(this);
    label->setTextFormat(Qt::PlainText);
    label->setText(tr("To go on, &type “%1” here:").arg(question.word));
    m_word = new QLineEdit(this);
    m_word->setObjectName(QStringLiteral("word"));
    m_word->setAccessibleName(tr("Type the word %1 to go on").arg(question.word));
    m_word->setMaximumWidth(fontMetrics().averageCharWidth() * 24);
    label->setBuddy(m_word);
    row->addWidget(label);
    row->addWidget(m_word);
    row->addStretch(1);
    into.addLayout(row);
    m_yes->setEnabled(false);
    m_word->installEventFilter(this);
    connect(m_word, &QLineEdit::textChanged, this, [this, word = question.word](const QString& typed) {
        m_yes->setEnabled(typed.trimmed().compare(word, Qt::CaseInsensitive) == 0);
        m_yes->setAutoDefault(m_yes->isEnabled()); // Enter presses it once it has the focus, and not before
    });
}

// Enter in the field of the word closes nothing: it goes on to the button, where a second one is meant.
bool DecisionDialog::eventFilter(QObject* of, QEvent* event) {
    if (of == m_word && event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        if (key == Qt::Key_Return || key == Qt::Key_Enter) {
            if (m_yes->isEnabled()) {
                m_yes->setFocus();
            }
            return true;
        }
    }
    return QDialog::eventFilter(of, event);
}

} // namespace carrel::ui
