// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/raw.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <streambuf>

#include "controlplane/config/text_check.h"
#include "controlplane/config/wording.h"

namespace ravelin::config {
namespace {

/// Thrown through yaml-cpp's parser to stop it; never leaves this file.
struct Stop {
    YAML::Mark mark;
    std::string what;
};

/// Reads from a view without a copy.
class ViewBuffer : public std::streambuf {
  public:
    explicit ViewBuffer(std::string_view text) {
        char* begin =
            const_cast<char*>(text.data());  // setg wants char*; get areas are not written
        setg(begin, begin, begin + text.size());
    }
};

/// Turns yaml-cpp's events into Raw nodes and enforces the bounds while it does.
class Builder final : public YAML::EventHandler {
  public:
    explicit Builder(RawDocument& out) : out_(out) {}

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (documents_++ > 0) throw Stop{mark, "a second document starts, expected only one"};
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        Raw& node = create(mark, Raw::Kind::kNull);
        if (expects_value()) {  // yaml-cpp gives the next token's mark; the key tells more
            node.line = open_.back().node->items.back()->line;
            node.column = open_.back().node->items.back()->column;
        }
        finish(mark, node, anchor);
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const Raw* target = anchor < anchors_.size() ? anchors_[anchor] : nullptr;
        if (target == nullptr) throw Stop{mark, "an alias stands inside its own anchor"};
        count(mark, target->nodes, target->bytes);
        if (open_.size() + target->height > kMaxDepth) throw Stop{mark, too_deep()};
        attach(mark, *target);
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        refuse_tag(mark, tag);
        if (value.find('\0') != std::string::npos) throw Stop{mark, "a value holds a NUL byte"};
        if (!is_utf8(value))  // yaml-cpp makes single bytes of \N and \_
            throw Stop{mark, "an escape in a value gives no UTF-8 text; write \\u0085 and \\u00a0"};
        Raw& node = create(mark, Raw::Kind::kScalar);
        count(mark, 0, value.size());
        node.bytes = value.size();
        node.text = value;
        finish(mark, node, anchor);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        refuse_tag(mark, tag);
        open_.push_back({&create(mark, Raw::Kind::kList), anchor, mark});
    }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        refuse_tag(mark, tag);
        open_.push_back({&create(mark, Raw::Kind::kMap), anchor, mark});
    }
    void OnSequenceEnd() override { close(); }
    void OnMapEnd() override { close(); }

  private:
    struct Open {
        Raw* node;
        YAML::anchor_t anchor;
        YAML::Mark mark;
    };

    static std::string too_deep() { return fmt::format("nested deeper than {} levels", kMaxDepth); }
    static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        if (tag.size() > 1)
            throw Stop{mark, fmt::format("found the tag {}, expected none", shown(tag))};
    }
    [[nodiscard]] bool expects_value() const {
        return !open_.empty() && open_.back().node->is_map() &&
               open_.back().node->items.size() % 2 == 1;
    }
    void count(const YAML::Mark& mark, uint64_t nodes, uint64_t bytes) {
        nodes_ += nodes;
        bytes_ += bytes;
        if (nodes_ > kMaxNodes)
            throw Stop{mark, fmt::format("more than {} values, aliases expanded", kMaxNodes)};
        if (bytes_ > kMaxExpandedBytes)
            throw Stop{mark, fmt::format("more than {} MiB of text, aliases expanded",
                                         kMaxExpandedBytes >> 20)};
    }
    Raw& create(const YAML::Mark& mark, Raw::Kind kind) {
        count(mark, 1, 0);
        if (open_.size() >= kMaxDepth) throw Stop{mark, too_deep()};
        Raw& node = out_.nodes.emplace_back();
        node.kind = kind;
        node.line = static_cast<uint32_t>(mark.line + 1);
        node.column = static_cast<uint32_t>(mark.column + 1);
        return node;
    }
    void close() {
        const Open done = open_.back();
        open_.pop_back();
        finish(done.mark, *done.node, done.anchor);
    }
    void finish(const YAML::Mark& mark, const Raw& node, YAML::anchor_t anchor) {
        if (anchor != 0) {
            if (anchors_.size() <= anchor) anchors_.resize(anchor + 1);
            anchors_[anchor] = &node;
        }
        attach(mark, node);
    }
    void attach(const YAML::Mark& mark, const Raw& node) {
        if (open_.empty()) {
            out_.root = &node;
            return;
        }
        Raw& parent = *open_.back().node;
        if (parent.is_map() && parent.items.size() % 2 == 0 && !node.is_scalar())
            throw Stop{mark, fmt::format("found {} as a key, expected a word", node.describe())};
        parent.items.push_back(&node);
        parent.nodes += node.nodes;
        parent.bytes += node.bytes;
        parent.height = std::max(parent.height, node.height + 1);
    }

    RawDocument& out_;
    std::vector<Open> open_;
    std::vector<const Raw*> anchors_;
    unsigned documents_ = 0;
    uint64_t nodes_ = 0, bytes_ = 0;
};

Error error_at(const std::string& file, const YAML::Mark& mark, std::string_view what) {
    return Error{fmt::format("{}:{}:{}: {}", file, mark.line + 1, mark.column + 1, what)};
}

/// Where the error stands. yaml-cpp gives the start of the document for one that ends too early.
YAML::Mark mark_of(std::string_view yaml, const YAML::ParserException& e) {
    YAML::Mark mark = e.mark;
    if (!e.msg.starts_with("end of") && !mark.is_null()) return mark;
    const std::string_view text = yaml.substr(0, yaml.find_last_not_of(" \t\r\n") + 1);
    mark.line = static_cast<int>(std::ranges::count(text, '\n'));
    mark.column = static_cast<int>(text.size() - (text.rfind('\n') + 1));  // npos + 1 is 0
    return mark;
}

/// yaml-cpp's words, and a hint where `"@set"` stands without its quotes.
std::string syntax_error(std::string_view yaml, const YAML::ParserException& e) {
    const auto at = static_cast<size_t>(e.mark.pos);
    if (e.mark.pos >= 0 && at < yaml.size() && yaml[at] == '@')
        return "YAML reserves a leading '@': put the set's name in quotes, like \"@name\"";
    return fmt::format("YAML syntax: {}", e.msg);
}

}  // namespace

std::string Raw::describe() const {
    switch (kind) {
        case Kind::kScalar:
            return shown(text);
        case Kind::kList:
            return "a list";
        case Kind::kMap:
            return "a map";
        default:
            return "nothing";
    }
}

Result<RawDocument> parse_raw(std::string_view yaml, const std::string& file_name) {
    if (auto s = check_text(yaml, file_name, kMaxDocumentBytes); !s) return s.error();
    RawDocument out;
    Builder builder(out);
    ViewBuffer buffer(yaml);
    std::istream stream(&buffer);
    try {
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const Stop& stop) {
        return error_at(file_name, stop.mark, stop.what);
    } catch (const YAML::ParserException& e) {
        return error_at(file_name, mark_of(yaml, e), syntax_error(yaml, e));
    } catch (const std::exception& e) {
        return Error{fmt::format("{}:1:1: cannot be read: {}", file_name, shown(e.what()))};
    }
    if (out.root == nullptr) out.root = &out.nodes.emplace_back();
    return out;
}

}  // namespace ravelin::config
