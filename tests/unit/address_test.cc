// SPDX-License-Identifier: Apache-2.0
#include "dataplane/address.h"

#include <gtest/gtest.h>

namespace ravelin {
namespace {

TEST(Address, ReadsAndWritesBothFamilies) {
    EXPECT_EQ(IpAddress::parse("192.0.2.1")->to_string(), "192.0.2.1");
    EXPECT_EQ(IpAddress::parse("2001:DB8::1")->to_string(), "2001:db8::1");
    EXPECT_TRUE(IpAddress::parse("192.0.2.1")->is_v4());
    EXPECT_EQ(IpAddress::parse("192.0.2.1")->v4_host(), 0xc0000201u);
    EXPECT_FALSE(IpAddress::parse("192.0.2.256").ok());
    EXPECT_FALSE(IpAddress::parse("192.0.2.1/24").ok());
}

TEST(Address, PrefixCoversFromFirstToLast) {
    const auto p = *Prefix::parse("10.1.2.3/20");
    EXPECT_FALSE(p.is_canonical());
    EXPECT_EQ(p.first().to_string(), "10.1.0.0");
    EXPECT_EQ(p.last().to_string(), "10.1.15.255");
    EXPECT_TRUE(p.contains(*IpAddress::parse("10.1.15.255")));
    EXPECT_FALSE(p.contains(*IpAddress::parse("10.1.16.0")));
    EXPECT_FALSE(p.contains(*IpAddress::parse("::10.1.2.3")));
}

TEST(Address, PrefixRefusesWhatIsNone) {
    EXPECT_FALSE(Prefix::parse("10.0.0.0/33").ok());
    EXPECT_FALSE(Prefix::parse("2001:db8::/129").ok());
    EXPECT_FALSE(Prefix::parse("10.0.0.0/").ok());
    EXPECT_FALSE(Prefix::parse("10.0.0.0/8x").ok());
    EXPECT_EQ(Prefix::parse("2001:db8::7")->length, 128);
}

TEST(Address, MacReadsAndWrites) {
    EXPECT_EQ(MacAddress::parse("02:00:5e:10:00:ff")->to_string(), "02:00:5e:10:00:ff");
    EXPECT_FALSE(MacAddress::parse("02:00:5e:10:00").ok());
    EXPECT_FALSE(MacAddress::parse("02-00-5e-10-00-ff").ok());
    EXPECT_TRUE(MacAddress::parse("ff:ff:ff:ff:ff:ff")->is_broadcast());
}

}  // namespace
}  // namespace ravelin
